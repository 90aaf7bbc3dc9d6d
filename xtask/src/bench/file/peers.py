"""The peers of `cargo xtask bench file`: Parquet, pcodec, DuckDB, Polars and DataFusion.

    peers.py prepare FOLDER            writes the Parquet files, measures sizes; JSON on stdout
    peers.py query FOLDER THREADS N    runs the queries N times in this warm process; JSON on stdout

FOLDER has off_cpu.parquet as `ktape export parquet` writes it.
"""

import json
import os
import sys
import time

COLUMNS = ["end", "duration", "runq", "tid", "tgid", "cpu", "state", "waker", "kstack", "ustack"]
IDS = ["tid", "tgid", "cpu", "state", "waker", "kstack", "ustack"]
SECOND = 1_000_000_000


def table(folder):
    """The ten columns, in their narrowest types, in the order of the trace."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "end": pa.int64(), "duration": pa.int64(), "runq": pa.int64(),
        "tid": pa.int32(), "tgid": pa.int32(), "cpu": pa.int16(), "state": pa.int8(),
        "waker": pa.int32(), "kstack": pa.int32(), "ustack": pa.int32(),
    }
    read = pq.read_table(os.path.join(folder, "off_cpu.parquet"), columns=COLUMNS)
    return pa.table({name: read[name].cast(types[name]) for name in COLUMNS})


def column_sizes(path):
    import pyarrow.parquet as pq

    meta = pq.ParquetFile(path).metadata
    sizes = {}
    for group in range(meta.num_row_groups):
        for at in range(meta.num_columns):
            column = meta.row_group(group).column(at)
            name = column.path_in_schema
            sizes[name] = sizes.get(name, 0) + column.total_compressed_size
    return sizes


def write(rows, path, group, level=None, encodings=None, codec="zstd"):
    """Columns without an encoding get a dictionary."""
    import pyarrow.parquet as pq

    encodings = encodings or {}
    pq.write_table(
        rows, path, row_group_size=group, version="2.6", compression=codec,
        compression_level=level, column_encoding=encodings or None,
        use_dictionary=[name for name in rows.column_names if name not in encodings],
    )


def smallest(rows, folder, level):
    """The best encoding of each column at a zstd level, and the file that they make."""
    scratch = os.path.join(folder, "scratch.parquet")
    best = {}
    for encoding in ["dictionary", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "PLAIN"]:
        names = rows.column_names
        if encoding == "BYTE_STREAM_SPLIT":
            names = [name for name in names if name not in ("cpu", "state")]
        part = rows.select(names)
        given = {} if encoding == "dictionary" else {name: encoding for name in names}
        write(part, scratch, 1 << 20, level, given)
        for name, size in column_sizes(scratch).items():
            if name not in best or size < best[name][0]:
                best[name] = (size, encoding)
    os.remove(scratch)
    encodings = {name: e for name, (_, e) in best.items() if e != "dictionary"}
    path = os.path.join(folder, f"zstd{level}.parquet")
    write(rows, path, 1 << 20, level, encodings)
    return {"bytes": os.path.getsize(path), "encodings": {name: e for name, (_, e) in best.items()}}


def pcodec_bytes(rows, level):
    import numpy as np
    from pcodec import ChunkConfig, standalone

    total = 0
    for name in rows.column_names:
        values = rows[name].to_numpy()
        if values.dtype == np.int8:
            values = values.astype(np.int16)
        total += len(standalone.simple_compress(values, ChunkConfig(compression_level=level)))
    return total


def prepare(folder):
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rows = table(folder)
    count = rows.num_rows
    by_cpu = rows.take(pc.sort_indices(rows, [("cpu", "ascending"), ("end", "ascending")]))
    out = {"rows": count, "sizes": {}}
    for level in (3, 19):
        out["sizes"][f"parquet zstd-{level}"] = smallest(by_cpu, folder, level)
    out["sizes"]["pcodec 12"] = {"bytes": pcodec_bytes(by_cpu, 12)}
    # The fastest to query: ids in dictionaries or not, uncompressed or by LZ4. The bench takes the
    # fastest of these per query.
    numbers = {name: "PLAIN" for name in ("end", "duration", "runq")}
    plain = {name: "PLAIN" for name in COLUMNS}
    write(rows, os.path.join(folder, "plain.parquet"), 122_880 * 2, None, plain, "none")
    write(rows, os.path.join(folder, "dictionary.parquet"), 122_880 * 2, None, numbers, "none")
    write(rows, os.path.join(folder, "lz4.parquet"), 122_880 * 2, None, numbers, "lz4")
    meta = pq.ParquetFile(os.path.join(folder, "off_cpu.parquet")).metadata.metadata
    start = int(meta[b"ktape.start_mono_ns"])
    names = pq.read_table(os.path.join(folder, "off_cpu.parquet"), columns=["state", "state_name"])
    names = names.group_by(["state", "state_name"]).aggregate([]).to_pylist()
    ends = rows["end"].to_numpy()
    middle = int((int(ends.max()) - start) // 2 // SECOND)
    inside = (ends >= start + middle * SECOND) & (ends <= start + (middle + 1) * SECOND)
    tgids = rows["tgid"].to_numpy()[inside]
    busiest = max(set(tgids.tolist()), key=lambda pid: ((tgids == pid).sum(), -pid))
    question = {
        "start": start,
        "pid": busiest,
        "second": middle,
        "states": {str(row["state"]): row["state_name"] for row in names},
    }
    with open(os.path.join(folder, "question.json"), "w") as file:
        json.dump(question, file)
    out["question"] = question
    json.dump(out, sys.stdout)


def sql(path, question):
    """The four questions."""
    start, pid = question["start"], question["pid"]
    low = start + question["second"] * SECOND
    high = low + SECOND
    sums = "sum(duration) as total, count(*) as n, max(duration) as longest"
    order = "order by total desc, tid limit 20"
    return {
        "by thread": f"select tid, {sums} from {path} group by tid {order}",
        "histogram by state": (
            "select state, cast(floor(log2(greatest(duration, 1))) as int) as bucket, "
            f"count(*) as n from {path} group by 1, 2 order by 1, 2"
        ),
        "process in a second": (
            f"select tid, {sums} from {path} where tgid = {pid} and "
            f'"end" between {low} and {high} group by tid {order}'
        ),
        "per second": (
            f'select ("end" - {start}) DIV {SECOND} as second, count(*) as n from {path} '
            "group by 1 order by 1"
        ),
    }


def polars_queries(path, question):
    import polars as pl

    start, pid = question["start"], question["pid"]
    low = start + question["second"] * SECOND
    high = low + SECOND
    sums = [
        pl.col("duration").sum().alias("total"),
        pl.len().alias("n"),
        pl.col("duration").max().alias("longest"),
    ]

    def top(frame):
        rows = frame.group_by("tid").agg(sums)
        return rows.sort(["total", "tid"], descending=[True, False]).head(20).collect().rows()

    def scan():
        return pl.scan_parquet(path)

    bucket = pl.col("duration").clip(1).log(2).floor().cast(pl.Int32).alias("bucket")
    second = ((pl.col("end") - start) // SECOND).alias("second")
    window = (pl.col("tgid") == pid) & pl.col("end").is_between(low, high)
    return {
        "by thread": lambda: top(scan()),
        "histogram by state": lambda: scan().group_by(["state", bucket]).agg(pl.len())
        .sort(["state", "bucket"]).collect().rows(),
        "process in a second": lambda: top(scan().filter(window)),
        "per second": lambda: scan().group_by(second).agg(pl.len()).sort("second").collect().rows(),
    }


def engines(threads, question):
    """(engine, file) -> question -> a function that opens, asks and gives the rows."""
    import datafusion
    import duckdb

    def duck(path):
        connection = duckdb.connect()
        connection.execute(f"set threads = {threads}")
        texts = sql(f"'{path}'", question)
        texts = {name: text.replace("DIV", "//") for name, text in texts.items()}
        return {name: lambda text=text: connection.execute(text).fetchall() for name, text in texts.items()}

    def fusion(path):
        config = datafusion.SessionConfig().with_target_partitions(threads)
        context = datafusion.SessionContext(config)
        texts = {name: text.replace("DIV", "/") for name, text in sql("facts", question).items()}

        def ask(text):
            context.register_parquet("facts", path)
            try:
                found = context.sql(text).to_pydict()
                return list(zip(*found.values()))
            finally:
                context.deregister_table("facts")

        return {name: lambda text=text: ask(text) for name, text in texts.items()}

    return {
        "DuckDB": duck,
        "Polars": lambda path: polars_queries(path, question),
        "DataFusion": fusion,
    }


def query(folder, threads, rounds):
    with open(os.path.join(folder, "question.json")) as file:
        question = json.load(file)
    out = []
    for engine, of in engines(threads, question).items():
        for name in ["plain", "dictionary", "lz4", "zstd3", "zstd19"]:
            for what, ask in of(os.path.join(folder, f"{name}.parquet")).items():
                answer, times, cpu = None, [], []
                for _ in range(rounds):
                    began, used = time.perf_counter(), time.process_time()
                    answer = ask()
                    times.append(time.perf_counter() - began)
                    cpu.append(time.process_time() - used)
                rows = [[int(value) for value in row] for row in answer]
                out.append({
                    "engine": engine, "file": name, "question": what,
                    "wall_s": times, "cpu_s": cpu, "rows": rows,
                })
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    what, folder = sys.argv[1:3]
    if what == "prepare":
        prepare(folder)
    else:
        os.environ["POLARS_MAX_THREADS"] = sys.argv[3]
        query(folder, int(sys.argv[3]), int(sys.argv[4]))
