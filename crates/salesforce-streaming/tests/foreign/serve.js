// Serves Bayeux with a library written by others, beside the one endpoint of OAuth that a sign-in needs.
//
// The first argument is a JSON object with the settings of the library. On stdout, one JSON object per line: first
// {"url"}; then {"received"} for every Bayeux message, {"released"} for every connect that is held no longer, and
// {"done"} for every command. Commands come on stdin, likewise: {"do", …}. The process ends with its stdin.
'use strict';

const http = require('node:http');
const readline = require('node:readline');

const COMETD = '/cometd/62.0';

// `create` makes a server of the library from its settings and the set of channels that are refused:
// - handle(request, response): what is called for each HTTP request;
// - publish(events): publishes all of [{channel, data}], at once as far as the library can;
// - forget(): drops all sessions, so that the clients hear of it when they connect next;
// - dismiss(): ends all sessions with a farewell, if the library can;
// - close(): lets go of everything.
module.exports = (create) => {
  const settings = JSON.parse(process.argv[2]);
  const refused = new Set();
  const held = new Set();
  const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  let library = create(settings, refused);

  const server = http.createServer((request, response) => {
    if (request.url === '/services/oauth2/token') {
      token(request, response);
    } else if (request.url.startsWith(COMETD)) {
      listen(request, response);
      library.handle(request, response);
    } else {
      response.writeHead(404).end();
    }
  });

  const url = () => `http://127.0.0.1:${server.address().port}`;

  function token(request, response) {
    request.resume();
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const id = `${url()}/id/00D000000000000EAA/005000000000000AAA`;
    const issued_at = String(Date.now());
    response.end(JSON.stringify({ access_token: 'token', instance_url: url(), id, issued_at, token_type: 'Bearer' }));
  }

  // Both libraries read the body by themselves; this reads along, and is told first.
  function listen(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const messages = [].concat(JSON.parse(Buffer.concat(chunks).toString()));
      messages.forEach((message) => say({ received: message }));
      if (messages.some((message) => message.channel === '/meta/connect')) {
        held.add(response);
        response.on('close', () => {
          held.delete(response);
          say({ released: '/meta/connect' });
        });
      }
    });
  }

  const commands = {
    publish: ({ events }) => library.publish(events),
    forget: () => library.forget(),
    dismiss: () => library.dismiss(),
    refuse: ({ channel }) => refused.add(channel),
    allow: ({ channel }) => refused.delete(channel),
    // Breaks the connections of the connects that are held; the library notices nothing.
    cut: () => held.forEach((response) => response.socket.destroy()),
    // Everything is forgotten, all connections break, and for a moment nobody listens at the port.
    restart: async () => {
      const { port } = server.address();
      library.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      library = create(settings, refused);
      await bind(port);
    },
  };

  function bind(port) {
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  }

  async function main() {
    await bind(0);
    say({ url: url() });
    for await (const line of readline.createInterface({ input: process.stdin })) {
      const command = JSON.parse(line);
      const open = held.size;
      await commands[command.do](command);
      say({ done: command.do, held: open });
    }
    process.exit(0);
  }

  main();
};
