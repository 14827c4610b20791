using BenchmarkDotNet.Running;
using Matrix.Gateway.Benchmarks;

BenchmarkSwitcher.FromAssembly(typeof(RoutingBenchmarks).Assembly).Run(args);
