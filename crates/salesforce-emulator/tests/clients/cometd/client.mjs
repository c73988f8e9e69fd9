// CometD's own client on a PushTopic: what it hears, and how it comes back after a server that forgets, a connection
// that breaks and a session that ends.
import { emulator, library, org, tell } from '../transcript.mjs';

const { adapt } = await library('cometd-nodejs-client');
const { CometD } = await library('cometd');
adapt();

async function token() {
  const { client_id, client_secret, refresh_token } = org;
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id, client_secret, refresh_token });
  const reply = await fetch(`${org.url}/services/oauth2/token`, { method: 'POST', body });
  return { Authorization: `Bearer ${(await reply.json()).access_token}` };
}
let authorization = await token();
async function rest(method, path, body) {
  const headers = { ...authorization, 'Content-Type': 'application/json' };
  const reply = await fetch(`${org.url}/services/data/v62.0/sobjects/${path}`, { method, headers, body: JSON.stringify(body) });
  return reply.status === 204 ? undefined : reply.json();
}

// What is told of a message of the protocol.
const brief = ({ channel, successful, subscription, error, advice }) => ({ channel, successful, subscription, error, advice });
const answered = (start) => new Promise((resolve) => start(resolve)).then(brief);

// Every failure that the client hears of.
const failures = [];

// A client as the vendor's examples set it up: it subscribes after each handshake, and the replay extension says from where.
function client(replay) {
  const cometd = new CometD();
  cometd.unregisterTransport('websocket');
  cometd.configure({ url: `${org.url}/cometd/62.0`, requestHeaders: authorization, appendMessageTypeToURL: false, logLevel: 'error', maxBackoff: 1 });
  cometd.registerExtension('replay', {
    incoming(message) {
      if (message.data?.event) replay[message.channel] = message.data.event.replayId;
      return message;
    },
    outgoing(message) {
      if (message.channel === '/meta/subscribe') message.ext = { ...message.ext, replay };
      return message;
    },
  });
  const [events, waiting] = [[], []];
  const put = ({ data: { event, sobject } }) => {
    const line = `${event.type} ${sobject.Name ?? '-'}`;
    if (waiting.length) waiting.shift()(line);
    else events.push(line);
  };
  cometd.addListener('/meta/handshake', ({ successful }) => successful && cometd.subscribe('/topic/Leads', put));
  cometd.addListener('/meta/unsuccessful', (message) => failures.push(brief(message)));
  const next = () => (events.length ? Promise.resolve(events.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { cometd, next };
}

await rest('POST', 'PushTopic', { Name: 'Leads', Query: 'SELECT Id, Name FROM Lead', ApiVersion: 62.0 });

// Changes as they are made.
const { cometd, next } = client({ '/topic/Leads': -1 });
await tell(() => answered((done) => cometd.handshake(done)));
await tell(() => answered((done) => cometd.addListener('/meta/subscribe', done)));
const { id } = await rest('POST', 'Lead', { LastName: 'One', Company: 'C' });
await tell(() => next());
await rest('PATCH', `Lead/${id}`, { LastName: 'Uno' });
await tell(() => next());
await rest('DELETE', `Lead/${id}`);
await tell(() => next());

// What is refused.
await tell(() => answered((done) => cometd.subscribe('/topic/Absent', () => {}, done)));
await tell(() => answered((done) => cometd.publish('/topic/Leads', { mine: true }, done)));
failures.length = 0;

// The server forgets the client; the client comes back and misses nothing.
await emulator('streaming', { forget: {} });
await rest('POST', 'Lead', { LastName: 'Two', Company: 'C' });
await tell(() => next());
await tell(() => failures.splice(0));

// The reply with the event is lost with its connection.
await emulator('streaming', { script: { fault: 'drop_reply' } });
await rest('POST', 'Lead', { LastName: 'Lost', Company: 'C' });
await rest('POST', 'Lead', { LastName: 'Three', Company: 'C' });
await tell(() => next());
await tell(() => failures.splice(0));

// Another client hears everything that is kept.
const late = client({ '/topic/Leads': -2 });
late.cometd.handshake();
await tell(async () => [await late.next(), await late.next(), await late.next(), await late.next()]);
await tell(() => answered((done) => late.cometd.disconnect(done)));

// The server says goodbye: this client takes it at its word, and comes back when it is told to.
const goodbye = answered((done) => cometd.addListener('/meta/disconnect', done));
await emulator('streaming', { disconnect: {} });
await tell(() => goodbye);
await tell(() => cometd.getStatus());
await rest('POST', 'Lead', { LastName: 'Four', Company: 'C' });
await tell(() => answered((done) => cometd.handshake(done)));
await tell(() => next());

// The session ends, and with it the client's right to be there.
const ended = new Promise((resolve) => cometd.addListener('/meta/connect', (message) => message.successful || resolve(brief(message))));
await emulator('sessions/expire');
await tell(() => ended);
await tell(() => cometd.getStatus());

// With another token it starts anew.
authorization = await token();
const again = client({ '/topic/Leads': -1 });
await tell(() => answered((done) => again.cometd.handshake(done)));
await tell(() => answered((done) => again.cometd.disconnect(done)));
process.exit(0);
