// Serves Bayeux with `cometd-nodejs-server`, by the authors of CometD.
'use strict';

const cometd = require('cometd-nodejs-server');
const serve = require('./serve.js');

serve(({ timeout }, refused) => {
  const server = cometd.createCometDServer(timeout ? { timeout } : {});
  const sessions = new Set();
  server.addListener('sessionAdded', (session) => sessions.add(session));
  server.addListener('sessionRemoved', (session) => sessions.delete(session));
  server.policy = {
    canHandshake: (session, message, callback) => callback(undefined, !refused.has('/meta/handshake')),
    canSubscribe: (session, message, channel, callback) => callback(undefined, !refused.has(channel.name)),
  };
  return {
    handle: server.handle,
    // Outside of a batch the first event would end the long poll of a session, and the others wait for the next.
    publish(events) {
      const all = () => events.forEach(({ channel, data }) => server.createServerChannel(channel).publish(null, data));
      [...sessions].reduce((inner, session) => () => session.batch(inner), all)();
    },
    // What its sweeper does with a session that has not connected for too long. There is no public way.
    forget: () =>
      sessions.forEach((session) => {
        server._removeServerSession(session, true);
        session._flush();
      }),
    dismiss: () => sessions.forEach((session) => session.disconnect()),
    close: () => server.close(),
  };
});
