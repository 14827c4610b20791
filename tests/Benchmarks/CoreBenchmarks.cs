using BenchmarkDotNet.Attributes;
using Matrix.Testing;

namespace Matrix.Benchmarks;

/// <summary>Time and allocation of every operation in <see cref="CoreOperations"/>.</summary>
public class CoreBenchmarks
{
    private static readonly CoreOperations Operations = new();
    private Action _operation = () => { };

    public static IEnumerable<string> Names => Operations.All.Keys;

    [ParamsSource(nameof(Names))]
    public string Operation { get; set; } = "";

    [GlobalSetup]
    public void Choose() => _operation = Operations.All[Operation];

    [Benchmark]
    public void Run() => _operation();
}
