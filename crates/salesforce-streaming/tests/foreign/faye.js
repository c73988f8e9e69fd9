// Serves Bayeux with `faye`.
'use strict';

const faye = require('faye');
const serve = require('./serve.js');

// Among the types of reply that faye can give, JSON-P and EventSource are for others than us. It knows no farewell of
// the server, and refuses subscriptions only by extension.
serve(({ timeout }, refused) => {
  const server = new faye.NodeAdapter({ mount: '/cometd/62.0', ...(timeout && { timeout: timeout / 1000 }) });
  server.addExtension({
    incoming(message, callback) {
      const asked = message.channel === '/meta/subscribe' ? message.subscription : message.channel;
      if (refused.has(asked)) message.error = `403:${asked}:Forbidden channel`;
      callback(message);
    },
  });
  return {
    handle: (request, response) => server.handle(request, response),
    async publish(events) {
      const client = server.getClient();
      // What it is given before its own handshake it does not publish in order.
      await new Promise((resolve) => client.connect(resolve));
      await Promise.all(events.map(({ channel, data }) => client.publish(channel, data)));
    },
    // It drops all clients and goes on.
    forget: () => server.close(),
    close: () => server.close(),
  };
});
