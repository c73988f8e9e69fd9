// Every way into an org that jsforce knows, and out again.
import { emulator, library, org, tell } from '../transcript.mjs';

const { default: jsforce } = await library('jsforce');
const { login_url: loginUrl, client_id: clientId, client_secret: clientSecret, username } = org;
const oauth2 = { loginUrl, clientId, clientSecret, redirectUri: 'http://localhost/cb' };
const password = org.password + org.security_token;
const count = (conn) => conn.query('SELECT COUNT() FROM Account').then(({ totalSize }) => totalSize);

// SOAP, without an app.
const soap = new jsforce.Connection({ loginUrl });
await tell(() => soap.login(username, password));
await tell(() => soap.instanceUrl);
await tell(() => count(soap));
await tell(() => soap.identity().then(({ id, user_id, organization_id, urls }) => [id, user_id, organization_id, urls.rest]));
await tell(() => soap.limitInfo);
await tell(() => soap.logout());
await tell(() => new jsforce.Connection({ loginUrl }).login(username, 'wrong'));
await tell(() => new jsforce.Connection({ loginUrl, version: '65.0' }).login(username, password));

// Username and password with an app.
const byPassword = new jsforce.Connection({ oauth2 });
await tell(() => byPassword.login(username, password));
await tell(() => count(byPassword));
await tell(() => emulator('sessions/expire'));
await tell(() => count(byPassword));
await tell(() => byPassword.logout());
await tell(() => new jsforce.Connection({ oauth2: { ...oauth2, clientSecret: 'wrong' } }).login(username, password));

// A refresh token: the dead access token is replaced at the first call.
const refreshed = [];
const byRefresh = new jsforce.Connection({
  oauth2, instanceUrl: org.url, accessToken: 'dead', refreshToken: org.refresh_token,
}).on('refresh', (token) => refreshed.push(typeof token));
await tell(() => count(byRefresh));
await tell(() => refreshed);
await tell(() => Promise.all([1, 2, 3].map(() => count(byRefresh))));
await tell(() => emulator('sessions/expire'));
await tell(() => Promise.all([1, 2, 3].map(() => count(byRefresh))));
await tell(() => refreshed.length);

// The web-server flow; the emulated user consents at once.
const web = new jsforce.Connection({ oauth2 });
const page = await fetch(web.oauth2.getAuthorizationUrl({ scope: 'api refresh_token', state: 'mine' }), { redirect: 'manual' });
const back = new URL(page.headers.get('location'));
await tell(() => [page.status, back.origin, back.searchParams.get('state')]);
await tell(() => web.authorize(back.searchParams.get('code')));
await tell(() => [web.instanceUrl, typeof web.refreshToken]);
await tell(() => count(web));
await tell(() => web.logout(true));
await tell(() => web.authorize('no-code'));

// An access token as it is: nothing replaces it.
const bare = new jsforce.Connection({ instanceUrl: org.url, accessToken: byRefresh.accessToken });
await tell(() => count(bare));
await tell(() => bare.identity().then(({ username }) => username === org.username));
await tell(() => emulator('sessions/expire'));
await tell(() => count(bare));

// JWT bearer is a grant like others.
await tell(() => new jsforce.OAuth2(oauth2).requestToken({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'nonsense' }));
await tell(() => new jsforce.OAuth2({ ...oauth2, loginUrl: org.url }).requestToken({ grant_type: 'client_credentials' }).then(Object.keys));
