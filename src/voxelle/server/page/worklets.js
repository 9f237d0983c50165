// The audio thread's half: the microphone at 16 kHz in 20 ms frames, and a player that knows
// what was really heard. Talks to voice.js through message ports.

/** Streaming windowed-sinc resampler between any two rates. */
class Resampler {
  constructor(from, to, halfWidth = 16) {
    this.step = from / to;
    this.isIdentity = from === to;
    const cutoff = Math.min(1, to / from);
    this.half = Math.ceil(halfWidth / cutoff);
    this.taps = this.half * 2;
    this.history = new Float32Array(this.taps);
    this.position = this.half; // read position inside history and input together
    // A table of 256 phases of the Hann-windowed kernel, so that process() only multiplies and adds.
    this.phases = 256;
    this.table = new Float32Array((this.phases + 1) * this.taps);
    for (let phase = 0; phase <= this.phases; phase++) {
      for (let tap = 0; tap < this.taps; tap++) {
        const x = tap - this.half + 1 - phase / this.phases;
        const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * cutoff) / (Math.PI * x * cutoff);
        const window = Math.abs(x) >= this.half ? 0 : 0.5 + 0.5 * Math.cos((Math.PI * x) / this.half);
        this.table[phase * this.taps + tap] = sinc * window * cutoff;
      }
    }
  }

  process(input) {
    if (this.isIdentity) return input.slice();
    const data = new Float32Array(this.taps + input.length);
    data.set(this.history);
    data.set(input, this.taps);
    const output = [];
    while (this.position + this.half < data.length) {
      const base = Math.floor(this.position);
      const row = Math.round((this.position - base) * this.phases) * this.taps;
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) {
        sum += data[base - this.half + 1 + tap] * this.table[row + tap];
      }
      output.push(sum);
      this.position += this.step;
    }
    this.history = data.slice(data.length - this.taps);
    this.position -= data.length - this.taps;
    return Float32Array.from(output);
  }
}

/** Posts 20 ms Int16 frames of the microphone, with their peak and their second on the audio clock. */
class MicCapture extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.rate = rate;
    this.resampler = new Resampler(sampleRate, rate);
    this.frame = new Int16Array(rate / 50);
    this.filled = 0;
    this.peak = 0;
    this.count = 0;
    this.begin = null;
  }

  process([input]) {
    if (!input.length) return true;
    this.begin ??= currentTime;
    for (const sample of this.resampler.process(input[0])) {
      this.peak = Math.max(this.peak, Math.abs(sample));
      this.frame[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.filled === this.frame.length) {
        const pcm = this.frame.slice();
        const start = this.begin + this.count / this.rate;
        this.count += pcm.length;
        this.port.postMessage({ pcm, peak: this.peak, start }, [pcm.buffer]);
        this.filled = this.peak = 0;
      }
    }
    return true;
  }
}

/** Plays her voice: waits for a little sound first, drops turns that are over, fades on a stop. */
class VoicePlayer extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.rate = rate;
    this.prebuffer = sampleRate * 0.06; // 60 ms had no underruns in measurements, 20 ms had
    this.fadeStep = 1 / (sampleRate * 0.008);
    this.silentUntil = 0;
    this.begin(0);
    this.port.onmessage = ({ data }) => this[data.type](data);
  }

  begin(turn) {
    this.turn = turn;
    this.resampler = new Resampler(this.rate, sampleRate);
    this.chunks = [];
    this.offset = this.waiting = this.heard = this.told = 0;
    this.fade = this.gain = this.target = 1;
    this.gainStep = 0;
    this.isPlaying = this.isEnded = this.isFading = this.isDone = false;
  }

  isStale(turn) {
    return turn < this.turn || turn <= this.silentUntil || (turn === this.turn && this.isDone);
  }

  audio({ turn, pcm }) {
    if (this.isStale(turn)) return;
    this.beginIfNew(turn);
    this.push(this.resampler.process(Float32Array.from(pcm, (sample) => sample / 32768)));
  }

  push(chunk) {
    this.chunks.push(chunk);
    this.waiting += chunk.length;
  }

  ended({ turn }) {
    if (this.isStale(turn)) return;
    this.beginIfNew(turn);
    // The resampler holds back the last few samples: silence pushes them out.
    this.push(this.resampler.process(new Float32Array(this.resampler.half)));
    this.isEnded = true;
  }

  ducked({ turn, gain, fade }) {
    if (turn !== this.turn) return;
    this.target = gain;
    this.gainStep = Math.abs(gain - this.gain) / Math.max(1, fade * sampleRate);
  }

  stopped({ turn }) {
    this.silentUntil = Math.max(this.silentUntil, turn);
    if (turn < this.turn) return;
    this.beginIfNew(turn);
    if (this.isPlaying) this.isFading = true;
    else this.finish();
  }

  /** Another core may have taken over, and counts its turns from 1. */
  reset() {
    this.silentUntil = 0;
    this.begin(0);
  }

  beginIfNew(turn) {
    if (turn <= this.turn) return;
    this.finish();
    this.begin(turn);
  }

  finish() {
    if (!this.turn || this.isDone) return;
    this.isDone = true;
    this.isPlaying = false;
    this.chunks = [];
    this.waiting = 0;
    this.report();
  }

  process(_inputs, [[out]]) {
    if (!this.isPlaying) {
      if (!this.waiting || !(this.isEnded || this.waiting >= this.prebuffer)) return true;
      this.isPlaying = true;
    }
    let written = 0;
    while (written < out.length && this.chunks.length && this.fade > 0) {
      const chunk = this.chunks[0];
      out[written++] = chunk[this.offset++] * this.nextGain();
      if (this.offset === chunk.length) {
        this.chunks.shift();
        this.offset = 0;
      }
    }
    this.waiting -= written;
    this.heard += written;
    if (this.isFading && (this.fade <= 0 || !this.chunks.length)) this.finish();
    else if (this.isEnded && !this.chunks.length) this.finish();
    else if (written < out.length) this.isPlaying = false;
    else if (this.heard - this.told >= sampleRate * 0.25) this.report();
    else if (this.heard % 1024 < out.length) this.tellPosition();
    return true;
  }

  nextGain() {
    if (this.isFading) this.fade = Math.max(0, this.fade - this.fadeStep);
    if (this.gain < this.target) this.gain = Math.min(this.target, this.gain + this.gainStep);
    else if (this.gain > this.target) this.gain = Math.max(this.target, this.gain - this.gainStep);
    return this.gain * this.fade;
  }

  tellPosition() {
    this.port.postMessage({ type: 'position', turn: this.turn, position: this.heard / sampleRate });
  }

  report() {
    this.told = this.heard;
    const position = this.heard / sampleRate;
    this.port.postMessage({ type: 'report', turn: this.turn, position, isDone: this.isDone });
  }
}

registerProcessor('mic-capture', MicCapture);
registerProcessor('voice-player', VoicePlayer);
