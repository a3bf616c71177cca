"""Sound files and answers of every kind that retest reads, and what has broken readers of them before."""

from __future__ import annotations

import json

SUITE = """\
name: qa
prompts: [{text: "{{ question }}", name: ask}]
dataset: {path: d.jsonl, id: id, expected: expected}
targets: [{name: m, provider: replay, path: r.jsonl}]
samples: 2
matrix: {params: [{name: cold, temperature: 0}, {name: hot, temperature: 1}]}
metrics: [exact_match, {metric: regex, name: r, pattern: '^a+$'}, {metric: numeric, tolerance: 1e-3}]
gate: {block: regression, metrics: {exact_match: {margin: 0.03, min: 0.8}}}
tags: [a, ja]
"""
PROMPT = """\
---
model: gpt-4o
temperature: 0.7
stop: ["\\n"]
---
system:
Answer in {{ language | default("ja") }}.

user:
{% for row in rows %}{{ loop.index }}. {{ row.text }}
{% endfor %}{% include "part.md" %}
![picture](cat.png)
"""
ROWS = '{"id": "a", "question": "返品?", "expected": ["x", 1, null]}\n{"id": "b", "question": "q", "tags": ["t"]}\n'
TABLE = 'id,question,expected\na,"quoted, ""x""\nnext",1\nb,q,2\n'
RECORDING = '{"case_id": "a", "output": "x", "repeat": 0}\n{"case_id": "a", "output": "y", "repeat": 1}\n'
JUDGE = """\
name: mine
version: "1"
language: en
instructions: Judge {{ answer }}.
inputs: [answer]
scale: {form: grade, low: 1, high: 5}
"""
VERDICT = (
    '```json\n{"justification": "because", "grade": 4, "choice": "yes", "criteria": [{"met": true}], "claims": []}\n```'
)

BASELINE = (
    '{"retest_baseline": 1, "lines": 1, "run": "r1", "suite": "x", "suite_path": "evals/x.yaml", "fingerprint": "f", '
    '"dataset_fingerprint": "d", "draw": 0, "samples_per_case": 2, "started_at": "2026-03-01T09:30:15+00:00", '
    '"status": "complete", "revision": null, "arms": [{"name": "p/t", "prompt_name": "p", "prompt_path": "p.md", '
    '"prompt_hash": "h", "prompt_source": "{{ q }}", "target_name": "t", "provider": "openai", "model": "m", '
    '"identity": {}, "params": {"temperature": 0.1}, "labels": []}], "metrics": [{"name": "m", "metric": "m", '
    '"signature": "s", "options": {}, "direction": "higher", "low": 0.0, "high": 1.0, "pass_if": {"min": 0.3, '
    '"max": null}, "case_passes": {"rule": "all", "at_least": null}}], "calls": {"p/t": {"models": ["m"], '
    '"fingerprints": [], "oldest": "2026-03-01T09:30:15+00:00", "newest": null, "identical_repeats": false}}, '
    '"drift": [{"arm": "p/t", "metric": "m", "signature": "s", "tau2": 0.1, "n_runs": 5, "measured_at": null}]}\n'
    '{"case": "c", "arm": "p/t", "content": "1", "expected": "2", "cluster": null, "tags": ["ja"], '
    '"scores": {"m": [1.0, null]}, "errors": 1, "outputs": ["x", null]}\n'
)
REVIEWS_CSV = (
    "run,arm,case_id,sample_index,reviewer,label,text,tags,blind,withdrawn,at,score.help,scale.help\r\n"
    "20260301-093015-aaaa,intent/small,case-0,0,mina,good,'=1,ja; x,,,2026-03-01T10:00:00+00:00,４,1-5\r\n"
)
REVIEWS_JSONL = (
    '{"run": "20260301-093015-aaaa", "arm": "intent/small", "case_id": "case-0", "sample_index": 0, '
    '"reviewer": "mina", '
    '"label": "good", "text": "n", "tags": ["a"], "scores": {"help": 4}, "scales": {"help": "1-5"}, '
    '"at": "2026-03-01T10:00:00+00:00"}\n'
)
CALIBRATION = (
    '{"retest_calibration": 1, "calibrations": [{"definition": "d", "version": "1", "definition_hash": "h", '
    '"data_hash": "x", "items": 9, "unlabelled": 0, "failed": 1, "coefficient": "kappa", "judge": "j", '
    '"against": "label", "data": "x", "figures": {"kappa": [0.5, 0.1, 0.9]}, "bias": {}, "labels": ["a"], '
    '"failures": [], "notes": [], "confusion": [[1, 2]], "calibrated_on": "2026-03-01", "position_p": 0.5}]}'
)
WAIVERS = "waivers:\n- {suite: s, metric: m, reason: why, expires: 2026-12-31, author: a, created: 2026-11-01}\n"
SETTINGS = 'store = "x.db"\nconcurrency = 4\nprices = ["a.toml"]\nattempts = 2\nlease_s = 1.5\n'
PRICES = 'as_of = "2026-01-01"\n[models."m"]\ninput = 1.5\noutput = 2.0\n'
CHAT = json.dumps(
    {
        "model": "m",
        "system_fingerprint": "f",
        "choices": [
            {
                "finish_reason": "stop",
                "message": {
                    "content": [{"type": "text", "text": "x"}],
                    "refusal": None,
                    "reasoning": "r",
                    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}}],
                },
                "delta": {"content": "x"},
                "logprobs": {"content": []},
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
    }
)
RESPONSES = json.dumps(
    {
        "model": "m",
        "status": "completed",
        "output": [
            {"type": "message", "content": [{"type": "output_text", "text": "x"}, {"type": "refusal", "refusal": "r"}]},
            {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "1"},
            {"type": "reasoning", "summary": [{"text": "s"}]},
        ],
        "incomplete_details": {"reason": "max_output_tokens"},
        "usage": {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1}},
    }
)
EMBEDDING = '{"model": "m", "data": [{"index": 0, "embedding": [0.1, 0.2]}], "usage": {"prompt_tokens": 3}}'
MODERATION = '{"model": "m", "results": [{"flagged": true, "categories": {"x": true}, "category_scores": {"x": 0.9}}]}'
REFUSAL = '{"error": {"message": "slow down", "type": "rate", "code": "rate_limit_exceeded", "param": null}}'
OUTPUTS = (
    'So:\n```json\n{"intent": "返品", "n": [1, 2.5], "calls": [{"name": "f", "arguments": {}}]}\n```\n'
    "Answer: １２,345 yes"
)

# What has broken parsers before, theirs or ours.
TOKENS = [
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", "\u2028".encode(), b"\r", b"\x85", b"\x1b[2J", b"\\ud800",
    b"&a [*a, *a]", b"*a", b"!!python/object:os.system x", b"<<: *a", b"? [x]", b"---\n", b"...\n", b"%YAML 9\n",
    b"[" * 3000, b"{" * 3000, b"- " * 2000, b'{"a":' * 1500, b"9" * 5000, b"-1e99999", b"NaN",
    b"0x" + b"f" * 400, b"1_0",
    b"{{", b"}}", b"{%", b"{{ x.__class__.__mro__ }}", b"{{ 9**9**9 }}", b"{% include '../../etc/passwd' %}", b"{#",
    b'"', b"'", b"\\", b"\t", b"|-\n", b": ", b"#", b"\n\n", b"```", b"null", b"true", b"{}", b"[]", b",",
    b"a" * 20_000,
]  # fmt: skip
