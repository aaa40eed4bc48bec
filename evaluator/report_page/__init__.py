"""A run as a folder of web pages that open from disk, without a network or a server.

``index.html`` has the table and the run, ``songs/001.html`` and so on a song each. A song's
pictures and sound lie in a folder of their own and are read when its page is opened, or played, so
that a report of many songs stays light.

Pages from disk may not read files beside them (browsers refuse ``fetch``), and ``<audio>`` elements
are in step to some tens of milliseconds only, which one hears when stems are added. So sound comes
as scripts, ten seconds of all stems each, in Vorbis: `assets/sound.js` decodes them, starts all
stems at one sample, and holds no more than three such stretches, however long the song is. (Vorbis,
because it takes libsndfile less than half the time that Opus and MP3 take, and keeps the rate; FLAC
would be six times as large.)
"""
