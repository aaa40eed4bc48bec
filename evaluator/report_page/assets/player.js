// The page of a song: its buttons, keys, meters and the line that runs over the pictures.
"use strict";

(() => {
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const player = document.getElementById("player");
  const seekBar = document.getElementById("seek");
  const playButton = document.getElementById("play");
  const timeShown = document.getElementById("time");
  const status = document.getElementById("status");

  const tracks = [...player.querySelectorAll("[data-track]")].map((element) => {
    const name = element.dataset.track;
    const lanes = [...element.querySelectorAll(".lane")].map((lane) => {
      const source = lane.dataset.source;
      return { element: lane, source, sound: source === name ? name : `${name}.${source}` };
    });
    return {
      name,
      element,
      lanes,
      source: lanes[0].source,
      solo: element.querySelector(".solo"),
      mute: element.querySelector(".mute"),
      meter: element.querySelector(".meter"),
      sources: [...element.querySelectorAll("button[data-source]")],
    };
  });
  const named = (name) => tracks.find((track) => track.name === name);
  const groups = Object.fromEntries(
    tracks.map((track) => [track.name, track.lanes.map((lane) => lane.sound)]),
  );
  const sound = new SongSound(settings, groups, show);

  // --- What is heard --------------------------------------------------------------------------

  const press = (button, on) => button.setAttribute("aria-pressed", on);
  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

  function mix() {
    const anySolo = tracks.some((track) => isPressed(track.solo));
    player.classList.toggle("soloing", anySolo);
    const heard = [];
    for (const track of tracks) {
      const isOn = anySolo ? isPressed(track.solo) : !isPressed(track.mute);
      track.element.classList.toggle("unheard", !isOn);
      for (const lane of track.lanes) {
        const isHeard = isOn && lane.source === track.source;
        if (isHeard) heard.push(lane.sound);
        lane.element.classList.toggle("heard", isHeard);
      }
      for (const button of track.sources) press(button, button.dataset.source === track.source);
    }
    const switched = tracks.filter((track) => track.sources.length);
    for (const button of player.querySelectorAll("[data-all]")) {
      press(button, switched.every((track) => track.source === button.dataset.all));
    }
    sound.listen(heard);
  }

  function flip(button) {
    press(button, !isPressed(button));
    mix();
  }

  function choose(chosen, source) {
    for (const track of chosen) if (track.sources.length) track.source = source;
    mix();
  }

  const otherOf = (source) => (source === "estimate" ? "reference" : "estimate");

  // --- What is seen ---------------------------------------------------------------------------

  function shownTime(seconds) {
    const whole = Math.floor(seconds);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  }

  function show(state, trouble) {
    player.dataset.state = state;
    playButton.setAttribute("aria-label", state === "paused" ? "Play" : "Pause");
    status.textContent = trouble;
    draw();
    if (state === "playing") requestAnimationFrame(animate);
  }

  function draw() {
    const now = sound.position;
    document.documentElement.style.setProperty("--position", now / settings.seconds);
    seekBar.value = now;
    seekBar.setAttribute("aria-valuetext", `${shownTime(now)} of ${shownTime(settings.seconds)}`);
    timeShown.textContent = shownTime(now);
    for (const track of tracks) {
      track.meter.style.setProperty("--level", sound.level(track.name).toFixed(3));
    }
  }

  function animate() {
    if (sound.state !== "playing") return;
    draw();
    requestAnimationFrame(animate);
  }

  // --- Hands ----------------------------------------------------------------------------------

  playButton.addEventListener("click", () => sound.toggle());
  seekBar.addEventListener("input", () => sound.seek(Number(seekBar.value)));
  for (const track of tracks) {
    track.solo.addEventListener("click", () => flip(track.solo));
    track.mute.addEventListener("click", () => flip(track.mute));
    for (const button of track.sources) {
      button.addEventListener("click", () => choose([track], button.dataset.source));
    }
  }
  for (const button of player.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => choose(tracks, button.dataset.all));
  }
  for (const picture of document.querySelectorAll(".seekable")) {
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      sound.seek(((event.clientX - box.left) / box.width) * settings.seconds);
    });
  }
  // --- Keys -----------------------------------------------------------------------------------

  // What the mouse has pressed leaves the focus with the player, and its keys with it.
  player.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("button")) player.focus({ preventScroll: true });
  });

  const seekBy = (seconds) => sound.seek(sound.position + seconds);
  // These mean something to any page, so they are the player's only where the focus is in it.
  const inPlayer = {
    " ": () => sound.toggle(),
    ArrowLeft: () => seekBy(-5),
    ArrowRight: () => seekBy(5),
    Home: () => sound.seek(0),
    End: () => sound.seek(settings.seconds),
  };
  const mayRepeat = ["ArrowLeft", "ArrowRight"];

  player.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    // Where Space has a meaning of its own it keeps it.
    if (event.key === " " && event.target.closest("button, a, summary, [type=checkbox]")) return;
    const action = inPlayer[event.key];
    if (!action) return;
    event.preventDefault();
    if (!event.repeat || mayRepeat.includes(event.key)) action();
  });

  const follow = (rel) => document.querySelector(`a[rel=${rel}]`)?.click();
  const letters = {
    k: () => sound.toggle(),
    a: () => choose(tracks, otherOf(named("vocals").source)),
    n: () => follow("next"),
    p: () => follow("prev"),
  };
  const stems = ["bass", "drums", "other", "vocals"];
  stems.forEach((name, index) => {
    const track = named(name);
    if (track) letters["qwer"[index]] = () => choose([track], otherOf(track.source));
  });

  // Who speaks to the computer, or slips on a key, can do without (WCAG 2.2, 2.1.4).
  const lettersOn = document.getElementById("letters");
  const LETTERS = "demix report: letters";
  // Some browsers keep nothing for pages from disk.
  const kept = (action) => {
    try {
      return action(localStorage);
    } catch {
      return null;
    }
  };
  lettersOn.checked = kept((storage) => storage.getItem(LETTERS)) !== "off";
  lettersOn.addEventListener("change", () => {
    kept((storage) => storage.setItem(LETTERS, lettersOn.checked ? "on" : "off"));
  });

  document.addEventListener("keydown", (event) => {
    if (!lettersOn.checked || event.repeat) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    // By its place on the keyboard: Shift makes another character of a digit.
    const digit = /^(?:Digit|Numpad)([0-4])$/.exec(event.code)?.[1];
    const track = digit && named(["mixture", ...stems][digit]);
    let action = letters[event.key.toLowerCase()];
    if (track) action = () => flip(event.shiftKey ? track.mute : track.solo);
    if (!action) return;
    event.preventDefault();
    action();
  });

  mix();
  draw();
})();
