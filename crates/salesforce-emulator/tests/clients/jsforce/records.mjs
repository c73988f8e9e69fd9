// Records one by one and many at a time.
import { emulator, library, org, tell } from '../transcript.mjs';

const { default: jsforce } = await library('jsforce');
const { login_url: loginUrl, client_id: clientId, client_secret: clientSecret } = org;
const conn = new jsforce.Connection({
  oauth2: { loginUrl, clientId, clientSecret }, instanceUrl: org.url, refreshToken: org.refresh_token, version: '62.0',
});
await emulator('schema', { add_field: { object: 'Account', field: 'Key__c', definition: { type: 'string', external_id: true, unique: true } } });
const Account = conn.sobject('Account');

// One.
const { id } = await tell(() => Account.create({ Name: 'Acme', Industry: 'Energy', NumberOfEmployees: 7 }));
await tell(() => Account.retrieve(id, { fields: ['Id', 'Name', 'Industry', 'BillingAddress'] }));
await tell(() => Account.retrieve(id).then(({ attributes, Name, IsDeleted, OwnerId, CreatedDate }) => ({ attributes, Name, IsDeleted, OwnerId, CreatedDate })));
await tell(() => Account.update({ Id: id, Name: 'Acme GmbH', Industry: null }));
await tell(() => Account.record(id).retrieve().then(({ Name, Industry }) => [Name, Industry]));
await tell(() => Account.record(id).update({ Phone: '+43 1 234' }));
await tell(() => Account.create({ Name: '' }));
await tell(() => Account.create({ Nmae: 'Acme' }));
await tell(() => Account.update({ Id: id, NumberOfEmployees: 'many' }));
await tell(() => Account.delete(id));
await tell(() => Account.delete(id));
await tell(() => Account.retrieve(id));
await tell(() => conn.sobject('Nonsense__c').create({ Name: 'Acme' }));

// By external id.
await tell(() => Account.upsert({ Key__c: 'a b+c', Name: 'Odd' }, 'Key__c'));
await tell(() => Account.upsert({ Key__c: 'k1', Name: 'One' }, 'Key__c'));
await tell(() => Account.upsert({ Key__c: 'k1', Name: 'First' }, 'Key__c'));
await tell(() => Account.upsert([{ Key__c: 'k1', Name: '1' }, { Key__c: 'k2', Name: '2' }, { Key__c: 'k3' }], 'Key__c'));
await tell(() => conn.request('/sobjects/Account/Key__c/k2?fields=Name,Key__c'));

// Many.
const made = await tell(() => Account.create([{ Name: 'A' }, { Name: '' }, { Name: 'C' }]));
await tell(() => Account.create([{ Name: 'A' }, { Name: '' }], { allOrNone: true }));
const ids = made.filter(({ success }) => success).map((one) => one.id);
await tell(() => Account.update(ids.map((Id, n) => ({ Id, Site: `site ${n}` }))));
await tell(() => Account.retrieve([...ids, id], { fields: ['Name', 'Site'] }));
await tell(() => Account.retrieve(ids).then((all) => all.map(({ Name }) => Name)));
await tell(() => Account.destroy(ids));
await tell(() => Account.create(Array.from({ length: 201 }, (_, n) => ({ Name: `${n}` }))));
await tell(() => Account.create(Array.from({ length: 450 }, (_, n) => ({ Name: `many ${n}` })), { allowRecursive: true }).then((all) => [all.length, all.every(({ success }) => success)]));
await tell(() => conn.create(undefined, [{ type: 'Lead', LastName: 'L', Company: 'C' }, { attributes: { type: 'Contact' }, LastName: 'K' }]));

// By query.
await tell(() => Account.find({ Name: { $like: 'many 1%' } }).update({ Site: '${Name} here' }).then((all) => [all.length, all.every(({ success }) => success)]));
await tell(() => Account.find({ Site: 'many 17 here' }, 'Name').then((all) => all.map(({ Name }) => Name)));
await tell(() => Account.find({ Name: { $like: 'many%' } }).limit(20).destroy().then((all) => all.length));

// A file.
const { id: parent } = await Account.create({ Name: 'With a file' });
const attached = await tell(() => conn.sobject('Attachment').create({ ParentId: parent, Name: 'hello.txt', Body: Buffer.from('hello').toString('base64') }));
await tell(() => conn.sobject('Attachment').record(attached.id).blob('Body').toArray().then((chunks) => Buffer.concat(chunks).toString()));
await tell(() => conn.sobject('Attachment').create({ ParentId: parent, Name: 'h.txt', Body: Buffer.from('hello').toString('base64') }, { multipartFileFields: { Body: { filename: 'h.txt', contentType: 'text/plain' } } }));

// Replication: the clock stood still at the beginning of 2026, and a minute is told of when it is over.
await emulator('clock', { advance: 120 });
const [from, until] = ['2025-12-31T23:00:00Z', '2026-01-01T00:01:00Z'];
await tell(() => Account.deleted(from, until).then(({ deletedRecords, ...covered }) => ({ deleted: deletedRecords.length, ...covered })));
await tell(() => Account.updated(from, until).then(({ ids, ...covered }) => ({ updated: ids.length, ...covered })));
await tell(() => Account.updated('2025-01-01T00:00:00Z', until));
