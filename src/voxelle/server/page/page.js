// One plain page: hear her, talk to her, see what she hears and says.

import { Voice } from './voice.js';

const $ = (id) => document.getElementById(id);
const STATES = {
  idle: 'Ready', listening: 'Listening', thinking: 'Thinking …', speaking: 'Speaking', silenced: 'Silenced',
};
const MIC_TROUBLE = {
  NotAllowedError: 'The browser does not let this page use the microphone. Click the symbol left of the address, allow the microphone, and try again.',
  NotFoundError: 'No microphone was found. Plug one in and try again; writing works without.',
  NotReadableError: 'Another program holds the microphone. Close it and try again.',
  SecurityError: 'A browser gives the microphone only to localhost and https pages. Open this page as http:' + '//localhost on the machine it runs on.',
};

const id = sessionStorage.getItem('voxelle-id') ?? crypto.getRandomValues(new Uint32Array(2)).join('');
sessionStorage.setItem('voxelle-id', id);
$('you').value = localStorage.getItem('voxelle-name') || 'Guest';

const voice = new Voice({ id, name: $('you').value });
const turns = new Map(); // her replies by number
let isSilenced = false;

const on = (type, act) => voice.addEventListener(type, ({ detail }) => act(detail));

// --- what she does ------------------------------------------------------------------------

on('room_joined', ({ character }) => {
  $('name').textContent = document.title = character;
  trouble(null);
  enable(true);
});

on('lost', ({ reason }) => {
  show('connecting', 'Reconnecting …');
  trouble(`The connection to Voxelle is lost${reason ? ` (${reason})` : ''}. Reconnecting …`);
  enable(false);
});

on('state_changed', ({ state, detail }) => {
  show(state, STATES[state] ?? state);
  isSilenced = state === 'silenced';
  $('silenced').hidden = !isSilenced;
  $('detail').hidden = !detail;
  $('detail').textContent = detail;
});

on('transcript_updated', ({ member, text, is_final: isFinal }) => {
  $('hearing').hidden = isFinal || !text;
  $('hearing').textContent = `I hear ${member.name}: ${text} …`;
  if (isFinal && text) add(member.name, text, 'said');
});

on('text_shown', ({ member, text }) => add(member.name, text, 'wrote'));

on('turn_started', ({ turn, to }) => {
  turns.set(turn, { to, words: [], spoken: 0, clock: null, item: null });
  if (turns.size > 50) turns.delete(turns.keys().next().value);
});

on('caption_spoken', ({ turn, words }) => {
  const reply = turns.get(turn) ?? { to: '', words: [], spoken: 0, clock: null, item: null };
  turns.set(turn, reply);
  reply.words.push(...words);
  // Without sound, the words go by the clock.
  reply.clock ??= performance.now() - words[0].start * 1000;
});

on('position', ({ turn, position }) => {
  const reply = turns.get(turn);
  if (reply) reply.isHeard = true;
  advance(turn, position);
});

on('turn_ended', ({ turn, reason, heard, unheard, detail }) => {
  const reply = turns.get(turn);
  if (!reply) return;
  turns.delete(turn);
  if (!heard && !unheard && !detail) {
    reply.item?.remove();
    return;
  }
  const item = reply.item ?? addHers(reply);
  item.lastChild.textContent = heard;
  if (reason !== 'finished' && unheard) item.append(' ', element('s', unheard));
  if (detail) item.append(element('small', detail));
  scroll();
});

on('error_reported', ({ message }) => trouble(message, null, 8000));

function advance(turn, position) {
  const reply = turns.get(turn);
  if (!reply) return;
  const due = reply.words.filter((word) => word.start <= position).length;
  if (due <= reply.spoken) return;
  reply.spoken = due;
  reply.item ??= addHers(reply);
  reply.item.lastChild.textContent = reply.words.slice(0, due).map((word) => word.text).join(' ');
  scroll();
}

setInterval(() => {
  for (const [turn, { clock, isHeard }] of turns) {
    if (clock === null || isHeard) continue;
    const seconds = (performance.now() - clock) / 1000;
    // A player that should sound gets a second to begin; its position is the better clock.
    if (!voice.isAudible || seconds > 1) advance(turn, seconds);
  }
}, 100);

// --- what you do -----------------------------------------------------------------------------

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text && voice.write(text)) $('text').value = '';
});

$('you').addEventListener('change', () => {
  const name = $('you').value.trim() || 'Guest';
  $('you').value = name;
  localStorage.setItem('voxelle-name', name);
  voice.introduce(name);
});

async function talk(isTalking) {
  $('hold').classList.toggle('on', isTalking);
  $('hold').textContent = isTalking ? 'Listening to you …' : 'Hold to talk';
  if (!isTalking) {
    voice.talk($('open-mic').checked);
    return;
  }
  if (await openMic()) voice.talk($('hold').classList.contains('on') || $('open-mic').checked);
}

async function openMic() {
  try {
    await voice.openMic();
    return true;
  } catch (error) {
    $('open-mic').checked = false;
    $('hold').classList.remove('on');
    $('hold').textContent = 'Hold to talk';
    trouble(MIC_TROUBLE[error.name] ?? `The microphone does not open: ${error.message}`, openMicAgain);
    return false;
  }
}

async function openMicAgain() {
  trouble(null);
  await openMic();
}

$('hold').addEventListener('pointerdown', (event) => {
  $('hold').setPointerCapture(event.pointerId);
  talk(true);
});
for (const end of ['pointerup', 'pointercancel']) $('hold').addEventListener(end, () => talk(false));
addEventListener('blur', () => $('hold').classList.contains('on') && talk(false));

$('open-mic').addEventListener('change', async () => {
  if ($('open-mic').checked && !(await openMic())) return;
  voice.talk($('open-mic').checked);
});

// Space talks unless something else has the focus, for which it does what it always does.
const isForTalking = (target) => target === document.body || target === $('hold');
let isSpaceHeld = false;
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') silence();
  if (event.code !== 'Space' || event.ctrlKey || event.altKey || event.metaKey) return;
  if (!isSpaceHeld && !isForTalking(event.target)) return;
  event.preventDefault();
  if (isSpaceHeld) return;
  isSpaceHeld = true;
  talk(true);
});
addEventListener('keyup', (event) => {
  if (event.code !== 'Space' || !isSpaceHeld) return;
  event.preventDefault();
  endSpace();
});
addEventListener('blur', () => isSpaceHeld && endSpace());

function endSpace() {
  isSpaceHeld = false;
  talk(false);
}

function silence() {
  if (!isSilenced) voice.send({ type: 'silence' });
}
$('silence').addEventListener('click', silence);
$('release').addEventListener('click', () => voice.send({ type: 'release' }));

on('mic', ({ peak }) => {
  $('level').style.transform = `scaleX(${Math.min(1, peak * 1.5)})`;
});
on('mic-lost', () => {
  $('open-mic').checked = false;
  trouble('The microphone is gone. Plug it in and try again.', openMicAgain);
});

// --- the page itself --------------------------------------------------------------------------

function show(state, words) {
  $('lamp').dataset.state = state;
  $('state').textContent = words;
}

function enable(isConnected) {
  for (const button of document.querySelectorAll('#composer button, #silence')) button.disabled = !isConnected;
}

let hiding = 0;
function trouble(text, retry = null, forMs = 0) {
  clearTimeout(hiding);
  $('trouble').hidden = !text;
  $('trouble-text').textContent = text ?? '';
  $('trouble-retry').hidden = !retry;
  $('trouble-retry').onclick = retry;
  if (forMs) hiding = setTimeout(() => trouble(null), forMs);
}

function element(tag, text = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function add(name, text, how, isHers = false) {
  $('empty')?.remove();
  const item = element('li');
  item.append(element('b', how ? `${name} ${how}` : name), element('span', text));
  item.classList.toggle('hers', isHers);
  $('talk').append(item);
  while ($('talk').children.length > 300) $('talk').firstChild.remove();
  scroll();
  return item;
}

function addHers({ to }) {
  return add($('name').textContent, '', to && `to ${to}`, true);
}

function scroll() {
  $('talk').scrollTop = $('talk').scrollHeight;
}

// Sound may begin only after a click or a key: the first one, whatever it is for, starts it.
for (const gesture of ['pointerdown', 'keydown']) {
  addEventListener(gesture, () => voice.listen().catch(() => {}), { capture: true });
}

enable(false);
voice.connect();
