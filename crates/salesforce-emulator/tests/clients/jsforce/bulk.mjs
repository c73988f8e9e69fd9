// Bulk API 2.0 by jsforce, in an org of 5,000 leads.
import { emulator, library, org, tell } from '../transcript.mjs';

const { default: jsforce } = await library('jsforce');
const { login_url: loginUrl, client_id: clientId, client_secret: clientSecret } = org;
const conn = new jsforce.Connection({
  oauth2: { loginUrl, clientId, clientSecret }, instanceUrl: org.url, refreshToken: org.refresh_token, version: '62.0',
});
await emulator('schema', { add_field: { object: 'Account', field: 'Key__c', definition: { type: 'string', external_id: true } } });
const { bulk2 } = conn;
bulk2.pollInterval = 20;
const object = 'Account';
const sizes = ({ successfulResults, failedResults, unprocessedRecords }) => [successfulResults, failedResults, unprocessedRecords].map((rows) => rows.length);
const file = (rows) => `Name,Key__c\n${rows.map((n) => `"Row ""${n}""\nof many, ü",k${n}`).join('\n')}\n`;

// Queries.
const rows = await (await bulk2.query('SELECT Id, Name, CreatedDate, IsDeleted, AnnualRevenue FROM Lead')).toArray();
await tell(() => [rows.length, Object.keys(rows[0]), new Set(rows.map(({ Id }) => Id)).size]);
await tell(() => rows.at(-1).IsDeleted);
await tell(() => bulk2.query("SELECT Id, Name FROM Lead WHERE Name = 'nobody'").then((stream) => stream.toArray()));
await tell(() => bulk2.query('SELECT Nmae FROM Lead'));
await tell(() => bulk2.query('SELECT COUNT() FROM Lead'));

// Rows in one go, as records and as text.
await tell(() => bulk2.loadAndWaitForResults({ object, operation: 'insert', input: [{ Name: 'A', Industry: 'Energy' }, { Name: '' }, { Name: 'C' }] }));
await tell(() => bulk2.loadAndWaitForResults({ object, operation: 'insert', input: file([1, 2, 3]) }).then(sizes));
await tell(() => conn.sobject(object).find({ Key__c: 'k2' }, 'Name').then(([{ Name }]) => Name));
await tell(() => bulk2.loadAndWaitForResults({ object, operation: 'upsert', externalIdFieldName: 'Key__c', input: file([2, 3, 4]) }).then(({ successfulResults }) => successfulResults.map(({ sf__Created, Key__c }) => [sf__Created, Key__c])));
const ids = (await conn.sobject(object).find({ Key__c: { $like: 'k%' } }, 'Id')).map(({ Id }) => ({ Id }));
await tell(() => bulk2.loadAndWaitForResults({ object, operation: 'update', input: ids.map(({ Id }) => ({ Id, Site: '#N/A', Phone: '1' })) }).then(sizes));
await tell(() => bulk2.loadAndWaitForResults({ object, operation: 'delete', input: [...ids, ids[0]] }).then(({ successfulResults, failedResults }) => [successfulResults.length, failedResults]));
await tell(() => bulk2.query('SELECT Id, IsDeleted FROM Account WHERE IsDeleted = true', { scanAll: true }).then((stream) => stream.toArray()).then(({ length }) => length));
await tell(() => bulk2.loadAndWaitForResults({ object, operation: 'insert', input: [{ Nmae: 'A' }] }));
await tell(() => bulk2.loadAndWaitForResults({ object: 'Nonsense', operation: 'insert', input: [{ Name: 'A' }] }));
await tell(() => bulk2.loadAndWaitForResults({ object, operation: 'upsert', input: [{ Name: 'A' }] }));

// Step by step.
const job = bulk2.createJob({ object, operation: 'insert' });
await tell(() => job.open().then(({ id, createdById, systemModstamp, createdDate, ...info }) => info));
await tell(() => job.poll());
await tell(() => job.uploadData('Name\nSlowly\n'));
await tell(() => job.uploadData('Name\nTwice\n'));
await tell(() => job.close());
await tell(() => job.poll());
await tell(() => job.getSuccessfulResults(true).then((text) => text.split('\n')[0]));
await tell(() => job.check().then(({ state, numberRecordsProcessed, numberRecordsFailed, retries }) => ({ state, numberRecordsProcessed, numberRecordsFailed, retries })));
await tell(() => bulk2.job('ingest', { id: job.id }).check().then(({ state }) => state));
await tell(() => job.delete());
await tell(() => job.check());
const aborted = bulk2.createJob({ object, operation: 'insert' });
await aborted.open();
await tell(() => aborted.abort());
await tell(() => aborted.poll());

// Queries whose rows go through Bulk.
await conn.sobject(object).create(Array.from({ length: 200 }, (_, n) => ({ Name: `many ${n}` })));
await conn.sobject(object).create(Array.from({ length: 60 }, (_, n) => ({ Name: `many more ${n}` })));
await tell(() => conn.sobject(object).find({ Name: { $like: 'many%' } }).update({ Site: 'here' }, { allowBulk: true, bulkThreshold: 100, bulkApiVersion: 2 }).then((all) => [all.length, all.every(({ success }) => success)]));
await tell(() => conn.sobject(object).find({ Name: { $like: 'many%' } }).destroy({ allowBulk: true, bulkThreshold: 100, bulkApiVersion: 2 }).then((all) => [all.length, all.every(({ success }) => success)]));
