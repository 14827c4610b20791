using BenchmarkDotNet.Running;
using Matrix.Benchmarks;

BenchmarkSwitcher.FromAssembly(typeof(CoreBenchmarks).Assembly).Run(args);
