// Queries, descriptions and whatever else is only read, in an org of 5,000 accounts.
import { library, org, tell } from '../transcript.mjs';

const { default: jsforce } = await library('jsforce');
const { login_url: loginUrl, client_id: clientId, client_secret: clientSecret } = org;
const conn = new jsforce.Connection({
  oauth2: { loginUrl, clientId, clientSecret }, instanceUrl: org.url, refreshToken: org.refresh_token, version: '62.0',
});
const Account = conn.sobject('Account');
const shape = ({ totalSize, done, records, nextRecordsUrl }) => ({ totalSize, done, records: records.length, more: nextRecordsUrl !== undefined });

// Pages.
await tell(() => conn.query('SELECT Id, Name FROM Account').then(shape));
const page = await conn.query('SELECT Id FROM Account');
const second = await conn.queryMore(page.nextRecordsUrl);
await tell(() => shape(second));
await tell(() => conn.queryMore(second.nextRecordsUrl).then(shape));
await tell(() => conn.query('SELECT Id FROM Account', { autoFetch: true, maxFetch: 4321 }).then(shape));
await tell(() => conn.query('SELECT Id FROM Account', { autoFetch: true, maxFetch: 10_000 }).then(({ records }) => new Set(records.map(({ Id }) => Id)).size));
await tell(() => conn.query('SELECT Id FROM Account', { headers: { 'Sforce-Query-Options': 'batchSize=200' } }).then(shape));
await tell(() => conn.queryMore('nonsense'));
let records = 0;
const query = conn.query('SELECT Id, Name FROM Account').on('record', () => (records += 1));
await tell(() => query.run({ autoFetch: true, maxFetch: 4500 }).then(shape));
await tell(() => [records, query.totalFetched]);
const csv = conn.query('SELECT Name FROM Account').stream('csv').setEncoding('utf8');
await tell(() => csv.toArray().then((chunks) => chunks.join('').trim().split('\n').length));

// Queries that jsforce writes.
await tell(() => Account.find({}, 'Id').limit(3).then((all) => all.length));
await tell(() => Account.find().limit(1).then(([one]) => Object.keys(one).length > 60));
await tell(() => Account.select('*').limit(1).then(([one]) => 'BillingAddress' in one));
await tell(() => Account.findOne({ Name: { $ne: null } }, { Name: 1, Owner: ['Name', 'Username'] }).then(({ Owner }) => [Owner.Name, Owner.Username === org.username]));
await tell(() => Account.count());
await tell(() => Account.count({ CreatedDate: { $gte: jsforce.Date.toDateTimeLiteral(new Date(0)) }, LastActivityDate: { $exists: false } }));
await tell(() => Account.count({ Id: { $in: page.records.slice(0, 3).map(({ Id }) => Id) }, $or: [{ Name: { $like: '%' } }, { Industry: null }] }));
await tell(() => Account.find({}, 'Name').sort({ Name: -1 }).skip(2).limit(1).then((all) => all.length));
await tell(() => Account.find({}, 'Id').scanAll(true).autoFetch(true).maxFetch(6000).then((all) => all.length));
await tell(() => conn.query('SELECT Nmae FROM Account'));
await tell(() => conn.query('SELECT Id FROM'));
await tell(() => conn.query("SELECT Id FROM Account WHERE Name = 'nobody'").then(shape));

// Descriptions.
await tell(() => conn.describeGlobal().then(({ encoding, maxBatchSize, sobjects }) => [encoding, maxBatchSize, sobjects.some(({ name }) => name === 'Account')]));
await tell(() => Account.describe().then(({ name, keyPrefix, fields }) => [name, keyPrefix, fields[0].name]));
await tell(() => conn.describe$('Account').then(({ urls }) => urls.rowTemplate));
await tell(() => Account.describe$().then(({ label }) => label));
await tell(() => conn.sobject('Nonsense').describe());
await tell(() => conn.identity().then(({ username, user_type }) => [username === org.username, user_type]));
await tell(() => conn.limits().then(({ DailyApiRequests }) => DailyApiRequests.Max));
await tell(() => conn.limitInfo.apiUsage.limit);

// Requests by hand.
await tell(() => conn.request('/sobjects/Account').then(({ recentItems }) => recentItems));
await tell(() => conn.request(`/services/data/v58.0/query?q=${encodeURIComponent('SELECT COUNT() FROM Account')}`));
await tell(() => conn.request(`${org.url}/services/data/`).then((all) => all.at(-1)));
await tell(() => conn.request('/').then(({ identity, ...rest }) => Object.keys(rest).includes('sobjects')));
await tell(() => conn.requestPost('/composite/batch', { batchRequests: [{ method: 'GET', url: 'v62.0/limits' }, { method: 'GET', url: 'v62.0/sobjects/Nonsense' }] }).then(({ hasErrors, results }) => [hasErrors, results.map(({ statusCode }) => statusCode)]));
await tell(() => conn.requestPost('/composite', { allOrNone: true, compositeRequest: [
  { method: 'POST', url: '/services/data/v62.0/sobjects/Account', referenceId: 'a', body: { Name: 'Composed' } },
  { method: 'GET', url: '/services/data/v62.0/sobjects/Account/@{a.id}?fields=Name', referenceId: 'b' },
] }).then(({ compositeResponse }) => compositeResponse.map(({ httpStatusCode, body }) => [httpStatusCode, body.Name])));
await tell(() => conn.requestGet('/nonsense'));
await tell(() => conn.requestDelete('/query'));
await tell(() => Account.recent());

// What is not imitated says so.
await tell(() => conn.recent());
await tell(() => conn.search('FIND {Acme} IN ALL FIELDS RETURNING Account(Id)'));
await tell(() => conn.apex.get('/mine'));
await tell(() => conn.tabs());
await tell(() => conn.theme());
await tell(() => conn.quickActions());
await tell(() => Account.layouts());
await tell(() => Account.compactLayouts());
await tell(() => Account.approvalLayouts());
await tell(() => Account.listviews());
await tell(() => Account.find({}, 'Id').explain());
await tell(() => conn.tooling.query('SELECT Id FROM ApexClass'));
await tell(() => conn.tooling.describeGlobal());
await tell(() => conn.tooling.executeAnonymous('System.debug(1);'));
await tell(() => conn.metadata.list([{ type: 'CustomObject' }]));
await tell(() => conn.analytics.reports());
await tell(() => conn.chatter.resource('/users/me').retrieve());
await tell(() => conn.process.rule.list());
await tell(() => conn.soap.getServerTimestamp());
await tell(() => conn.soap.create([{ type: 'Account', Name: 'A' }]));
await tell(() => conn.bulk.load('Account', 'insert', [{ Name: 'A' }]));
