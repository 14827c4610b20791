using BenchmarkDotNet.Attributes;
using Matrix.Testing;

namespace Matrix.Benchmarks;

/// <summary>State resolution of large rooms; the states are compared as whole, as nobody who has ints does.</summary>
public class ResolutionBenchmarks
{
    private LargeForks _recent = null!, _diverged = null!;

    [Params("11", "12")]
    public string Version { get; set; } = "";

    [GlobalSetup]
    public void Make() => (_recent, _diverged) = (LargeForks.Recent(Version, 30_000, 10), LargeForks.Diverged(Version, 10_000));

    [Benchmark(Description = "30,000 state events, a fork of 10")]
    public int Recent() => _recent.Resolve().Count;

    [Benchmark(Description = "two halves of 10,000, fully diverged")]
    public int Diverged() => _diverged.Resolve().Count;
}
