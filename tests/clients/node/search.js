// Creates a search, watches it and prints its front as JSON, from the protos alone:
//   node search.js PROTOS SEARCHER_ADDRESS LIBRARY_MANIFEST PREDICTOR
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [protos, address, manifest, predictor] = process.argv.slice(2);
const files = ["searcher", "artifacts"].map((name) => `donna/v1/${name}.proto`);
const definition = loader.loadSync(files, { includeDirs: [protos], keepCase: true, longs: Number, enums: String, defaults: true });
const { v1 } = grpc.loadPackageDefinition(definition).donna;
const searcher = new v1.SearcherService(address, grpc.credentials.createInsecure());
const artifacts = new v1.ArtifactService(address, grpc.credentials.createInsecure());

function upload(data) {
  const sha256 = createHash("sha256").update(data).digest("hex");
  return new Promise((resolve, reject) => {
    const stream = artifacts.UploadArtifact((error, response) => (error ? reject(error) : resolve(response.artifact)));
    for (let offset = 0; offset < data.length; offset += 1 << 20) {
      stream.write({ chunk: { sha256, offset, total_bytes: data.length, data: data.subarray(offset, offset + (1 << 20)) } });
    }
    stream.end();
  });
}

function watch(name) {
  return new Promise((resolve, reject) => {
    let last;
    const stream = searcher.WatchSearch({ name });
    stream.on("data", ({ search }) => { last = search; });
    stream.on("error", reject);
    stream.on("end", () => resolve(last));
  });
}

const library = await upload(readFileSync(manifest));
const spec = {
  library, predictor, objectives: [{ metric: "METRIC_ACCURACY" }, { metric: "METRIC_MACS" }], population: 16, generations: 4, seed: 1,
};
const create = promisify(searcher.CreateSearch.bind(searcher));
const refused = await create({ spec: { ...spec, objectives: [] } }).catch((error) => ({ code: error.code, details: error.details }));
const { search } = await create({ spec, request_id: "node" });
const ended = await watch(search.name);
const front = ended.front.map((p) => ({ architecture: p.architecture.choices, accuracy: p.predicted_accuracy, macs: p.macs }));
process.stdout.write(JSON.stringify({ name: search.name, state: ended.job.state, generations: ended.generations.length, refused, front }));
