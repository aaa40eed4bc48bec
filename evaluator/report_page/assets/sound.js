// All sounds of a song in step. They come as scripts of ten seconds each (pages from disk may read
// no files); all sounds of a piece start at one sample of the audio clock, whether they are heard
// or not, so that solo, mute and the switch to the reference change nothing but gains.
"use strict";

class SongSound {
  static FADE = 0.02; // seconds in which a piece goes over into the next
  static RAMP = 0.012; // time constant of gains, so that switching does not click
  static LEAD = 0.08; // from the decision to start to the start
  static AHEAD = 4; // how long before its end the next piece is wanted

  // settings: folder, seconds, rate, pieces, pieceSeconds, padSeconds.
  // groups: {group: [sound]}; a group has a level of its own.
  // onState: called with "playing", "loading" or "paused", and what went wrong.
  constructor(settings, groups, onState) {
    this.settings = settings;
    this.groups = groups;
    this.onState = onState;
    this.state = "paused";
    this.context = null; // made at the first touch, as browsers want it
    this.gains = new Map(); // by sound
    this.analysers = new Map(); // by group
    this.heard = new Set();
    this.sources = new Set(); // that have been started
    this.generation = 0; // of plays: what was waited for by an earlier one is dropped
    this.resting = 0; // position while nothing plays, in seconds
    this.clock = null; // while playing: {at: context's time, from: position}
    this.horizon = 0; // position up to which sound is scheduled
    this.pieces = new Map(); // index -> promise of {sound: AudioBuffer}
    this.waiting = new Map();
    window.demixPiece = (index, sounds) => this.waiting.get(index)?.(sounds);
  }

  get position() {
    if (!this.clock) return this.resting;
    const now = this.clock.from + Math.max(0, this.context.currentTime - this.clock.at);
    return Math.min(now, this.horizon, this.settings.seconds);
  }

  get isOn() {
    return this.state !== "paused";
  }

  toggle() {
    if (this.isOn) this.pause();
    else this.play();
  }

  pause() {
    this.halt();
    this.tell("paused");
  }

  seek(seconds) {
    const wasOn = this.isOn;
    this.halt();
    this.resting = Math.min(Math.max(seconds, 0), this.settings.seconds);
    if (wasOn) this.play();
    else this.tell("paused");
  }

  async play() {
    this.halt();
    const mine = this.generation;
    const { seconds, pieceSeconds, pieces } = this.settings;
    if (this.resting >= seconds) this.resting = 0;
    this.tell("loading");
    try {
      this.wake();
      await this.context.resume();
      let index = Math.min(Math.floor(this.resting / pieceSeconds), pieces - 1);
      let buffers = await this.piece(index);
      if (mine !== this.generation) return;
      this.clock = { at: this.context.currentTime + SongSound.LEAD, from: this.resting };
      this.horizon = this.resting;
      this.schedule(index, buffers);
      this.tell("playing");
      while (this.horizon < seconds) {
        await this.sleep(0.2);
        if (mine !== this.generation) return;
        if (this.horizon - this.position > SongSound.AHEAD) continue;
        index += 1;
        buffers = await this.piece(index);
        if (mine !== this.generation) return;
        if (this.position >= this.horizon - SongSound.FADE) {
          this.play(); // it came too late: go on from where the sound ended
          return;
        }
        this.schedule(index, buffers);
      }
      while (this.position < seconds) {
        await this.sleep(0.1);
        if (mine !== this.generation) return;
      }
      this.pause();
    } catch (error) {
      if (mine !== this.generation) return;
      this.halt();
      this.tell("paused", `The sound cannot be played: ${error.message}`);
    }
  }

  // Choose what is heard: names of sounds.
  listen(heard) {
    this.heard = new Set(heard);
    for (const [name, gain] of this.gains) {
      const target = this.heard.has(name) ? 1 : 0;
      gain.gain.setTargetAtTime(target, this.context.currentTime, SongSound.RAMP);
    }
  }

  // Root mean square of what a group gives now, on a scale of 60 dB, 0 to 1.
  level(group) {
    if (!this.clock) return 0;
    const analyser = this.analysers.get(group);
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return Math.min(Math.max(1 + (10 * Math.log10(power + 1e-12)) / 60, 0), 1);
  }

  tell(state, trouble = "") {
    this.state = state;
    this.onState(state, trouble);
  }

  sleep(seconds) {
    return new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }

  halt() {
    this.generation += 1;
    this.resting = this.position;
    this.clock = null;
    for (const source of this.sources) source.stop();
    this.sources = new Set();
  }

  wake() {
    if (this.context) return;
    this.context = new AudioContext({ sampleRate: this.settings.rate });
    for (const [group, names] of Object.entries(this.groups)) {
      const analyser = new AnalyserNode(this.context, { fftSize: 2048 });
      analyser.connect(this.context.destination);
      this.analysers.set(group, analyser);
      for (const name of names) {
        const gain = new GainNode(this.context, { gain: this.heard.has(name) ? 1 : 0 });
        gain.connect(analyser);
        this.gains.set(name, gain);
      }
    }
  }

  schedule(index, buffers) {
    const { seconds, pieceSeconds, padSeconds } = this.settings;
    const begin = this.horizon;
    const end = Math.min((index + 1) * pieceSeconds, seconds);
    const at = this.clock.at + begin - this.clock.from;
    const offset = begin - Math.max(0, index * pieceSeconds - padSeconds);
    const until = at + end - begin;
    const fade = Math.min(SongSound.FADE, (end - begin) / 2);
    for (const [name, buffer] of Object.entries(buffers)) {
      const source = new AudioBufferSourceNode(this.context, { buffer });
      const envelope = new GainNode(this.context, { gain: 0 });
      envelope.gain.setValueAtTime(0, at);
      envelope.gain.linearRampToValueAtTime(1, at + fade);
      envelope.gain.setValueAtTime(1, until);
      envelope.gain.linearRampToValueAtTime(0, until + fade);
      source.connect(envelope).connect(this.gains.get(name));
      source.start(at, offset);
      source.stop(until + fade);
      source.onended = () => {
        this.sources.delete(source);
        envelope.disconnect();
      };
      this.sources.add(source);
    }
    this.horizon = end;
  }

  piece(index) {
    // The one before and the one after stay: memory does not grow with the song.
    for (const other of this.pieces.keys()) {
      if (Math.abs(other - index) > 1) this.pieces.delete(other);
    }
    if (!this.pieces.has(index)) {
      const promise = this.decode(index);
      promise.catch(() => this.pieces.delete(index)); // to be tried again
      this.pieces.set(index, promise);
    }
    return this.pieces.get(index);
  }

  async decode(index) {
    const encoded = Object.entries(await this.load(index));
    const decoded = encoded.map(async ([name, base64]) => {
      const text = atob(base64);
      const bytes = Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
      return [name, await this.context.decodeAudioData(bytes.buffer)];
    });
    return Object.fromEntries(await Promise.all(decoded));
  }

  load(index) {
    const path = `${this.settings.folder}/piece-${index}.js`;
    const loaded = new Promise((resolve, reject) => {
      this.waiting.set(index, resolve);
      const script = document.createElement("script");
      script.src = path;
      script.onload = () => {
        script.remove();
        reject(new Error(`${path} is damaged`)); // which changes nothing where it has come
      };
      script.onerror = () => {
        script.remove();
        reject(new Error(`${path} is missing`));
      };
      document.head.append(script);
    });
    return loaded.finally(() => this.waiting.delete(index));
  }
}
