using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Matrix.Benchmarks;

if (args is ["state-size"])
{
    await StateSize.RunAsync();
    return;
}
if (args is ["keys-query"])
{
    await KeysQuery.RunAsync();
    return;
}
if (args is ["register"])
{
    await Registering.RunAsync();
    return;
}
// In this process: the generated projects of the usual toolchain would need a package feed and miss this repository's settings.
var config = DefaultConfig.Instance
    .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
    .AddDiagnoser(MemoryDiagnoser.Default);
BenchmarkSwitcher.FromAssembly(typeof(CoreBenchmarks).Assembly).Run(args, config);
