// The connection to a room, and the sound of both sides. Knows nothing of the page.
//
// A message with sound is one line of JSON and then 16-bit PCM; all others are JSON text.

const EAR_RATE = 16000;
const VOICE_RATE = 24000;
const PRE_ROLL = 15; // frames of 20 ms that are kept, so that no first syllable is lost

export class Voice extends EventTarget {
  /** @param {{id: string, name: string}} you who talks from this page */
  constructor(you, room = 'main') {
    super();
    this.you = { platform: 'web', roles: [], ...you };
    this.room = room;
    this.attempt = 0;
    this.isTalking = false;
    this.preRoll = [];
    this.unplayed = [];
    this.url = new URL('ws/voice', location.href);
    this.url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  }

  // --- the socket -------------------------------------------------------------------------

  connect() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = ({ reason }) => {
      this.isJoined = false;
      this.emit('lost', { reason });
      // Full jitter: many pages that lost the same server do not come back all at once.
      const wait = Math.random() * Math.min(15000, 500 * 2 ** this.attempt++);
      setTimeout(() => this.connect(), wait);
    };
  }

  send(event, pcm) {
    if (!this.isJoined || this.socket.readyState !== WebSocket.OPEN) return false;
    const line = JSON.stringify(event);
    if (!pcm) {
      this.socket.send(line);
      return true;
    }
    const header = new TextEncoder().encode(`${line}\n`);
    const message = new Uint8Array(header.length + pcm.byteLength);
    message.set(header);
    message.set(new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength), header.length);
    this.socket.send(message);
    return true;
  }

  receive(data) {
    if (typeof data === 'string') {
      this.handle(JSON.parse(data));
      return;
    }
    const bytes = new Uint8Array(data);
    const end = bytes.indexOf(10);
    const event = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
    this.handle(event, new Int16Array(data.slice(end + 1)));
  }

  handle(event, pcm) {
    switch (event.type) {
      case 'connection_established':
        this.isJoined = true;
        this.send({ type: 'join_room', room: this.room, platform: 'web', rate: VOICE_RATE });
        break;
      case 'room_joined':
        this.attempt = 0;
        this.play({ type: 'reset' });
        this.introduce();
        break;
      case 'audio_spoken':
        this.play({ type: 'audio', turn: event.turn, pcm });
        break;
      case 'audio_ended':
        this.play({ type: 'ended', turn: event.turn });
        break;
      case 'voice_ducked': {
        const gain = 10 ** (event.gain_db / 20);
        this.play({ type: 'ducked', turn: event.turn, gain, fade: event.fade_s });
        break;
      }
      case 'voice_stopped':
        this.play({ type: 'stopped', turn: event.turn });
        break;
    }
    this.emit(event.type, event);
  }

  /** Say who is here, again after every change of the name. */
  introduce(name = this.you.name) {
    this.you.name = name;
    this.send({ type: 'member_joined', member: this.you });
  }

  write(text) {
    return this.send({ type: 'text_received', member: this.you, text });
  }

  // --- the sound ----------------------------------------------------------------------------

  /** Begin to play; browsers allow it only after a click or a key. */
  async listen() {
    if (this.context) {
      await this.context.resume();
      return;
    }
    const context = new AudioContext({ latencyHint: 'interactive' });
    this.context = context;
    this.loading = context.audioWorklet.addModule(new URL('worklets.js', import.meta.url));
    await this.loading;
    this.player = new AudioWorkletNode(context, 'voice-player', {
      numberOfInputs: 0, outputChannelCount: [1], processorOptions: { rate: VOICE_RATE },
    });
    this.player.connect(context.destination);
    this.player.port.onmessage = ({ data }) => this.heard(data);
    for (const message of this.unplayed.splice(0)) this.play(message);
    await context.resume();
  }

  play(message) {
    if (this.player) this.player.port.postMessage(message);
    // While the player is loading, what comes is kept; without one, nobody would hear it later.
    else if (this.context && this.unplayed.length < 500) this.unplayed.push(message);
  }

  get isAudible() {
    return this.context?.state === 'running';
  }

  heard({ type, turn, position, isDone }) {
    if (type === 'report') {
      this.send({ type: 'playback_reported', turn, position, is_done: isDone });
    }
    this.emit('position', { turn, position });
  }

  /** Ask for the microphone; throws what the browser says if it does not give it. */
  async openMic() {
    if (this.mic) return;
    if (!navigator.mediaDevices) throw new DOMException('no secure context', 'SecurityError');
    await this.listen();
    await this.loading;
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
    this.mic = new AudioWorkletNode(this.context, 'mic-capture', {
      numberOfOutputs: 0, channelCount: 1, channelCountMode: 'explicit',
      processorOptions: { rate: EAR_RATE },
    });
    this.mic.port.onmessage = ({ data }) => this.capture(data);
    this.micSource = this.context.createMediaStreamSource(stream);
    this.micSource.connect(this.mic);
    stream.getAudioTracks()[0].onended = () => {
      this.mic = null;
      this.talk(false);
      this.emit('mic-lost', {});
    };
  }

  capture({ pcm, peak, start }) {
    this.emit('mic', { peak });
    if (!this.isTalking) {
      this.preRoll.push({ pcm, start });
      if (this.preRoll.length > PRE_ROLL) this.preRoll.shift();
      return;
    }
    this.send({ type: 'audio_received', member: this.you.id, start }, pcm);
  }

  /** While true, what the microphone hears is sent. */
  talk(isTalking) {
    if (isTalking === this.isTalking) return;
    this.isTalking = isTalking;
    if (!isTalking) {
      this.send({ type: 'utterance_ended', member: this.you.id });
      return;
    }
    for (const { pcm, start } of this.preRoll.splice(0)) {
      this.send({ type: 'audio_received', member: this.you.id, start }, pcm);
    }
  }

  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
