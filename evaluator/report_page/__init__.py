"""A run as a folder of web pages that open from disk, without a network or a server.

``index.html`` has the table and the run, ``songs/001.html`` and so on a song each. A song's
pictures and sound lie in a folder of their own and are read when its page is opened, or played, so
that a report of many songs stays light.

Pages from disk may not read files beside them (browsers refuse ``fetch``), and ``<audio>`` elements
are in step to some tens of milliseconds only, which one hears when stems are added. So sound comes
as scripts, ten seconds of all stems each, as MP3: `assets/sound.js` decodes them, starts all stems
at one sample, and holds no more than three such stretches, however long the song is. (MP3, because
every browser plays it; Safari plays Ogg only since 18.4. A decoder that does not take the encoder's
delay off shifts all stems alike, by less than the pad of a stretch. FLAC would be four times as
large.)
"""
