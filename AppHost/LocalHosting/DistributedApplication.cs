using System.Runtime.InteropServices;
using Aspire.Hosting.Dashboard;
using Aspire.Hosting.Processes;
using Aspire.Hosting.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

/// <summary>
/// Runs what the builder describes. Configuration read here (set by the program or as environment variables): <c>LocalHosting:DataFolder</c>,
/// <c>LocalHosting:Title</c>, <c>LocalHosting:Next</c>, <c>LocalHosting:Dashboard</c> (false: plain processes, no dcp),
/// <c>ASPIRE_DCP_PATH</c> (folder), <c>ASPIRE_DASHBOARD_PATH</c> (file), <c>LocalHosting:DashboardPort</c>.
/// </summary>
public sealed class DistributedApplication : IAsyncDisposable
{
    private readonly DistributedApplicationBuilder _builder;
    private readonly ServiceProvider _services;

    internal DistributedApplication(DistributedApplicationBuilder builder)
    {
        _builder = builder;
        _services = builder.Services.BuildServiceProvider();
    }

    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => new DistributedApplicationBuilder(args);

    public void Run() => RunAsync().GetAwaiter().GetResult();

    /// <summary>Until Ctrl-C, SIGTERM, or a failure that ends the run; the exit code of the process then tells which.</summary>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        var terminal = new Terminal(Console.Out, Console.Error);
        Environment.ExitCode = await RunAsync(terminal, stop.Token);

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    private async Task<int> RunAsync(Terminal terminal, CancellationToken stop)
    {
        var settings = new RunSettings(
            _builder.Configuration["LocalHosting:DataFolder"] ?? Path.Combine(_builder.AppHostDirectory, "..", "data"),
            _builder.Configuration["LocalHosting:Title"] ?? "application",
            _builder.Configuration["LocalHosting:Next"] ?? "");
        Directory.CreateDirectory(settings.DataFolder);
        using var only = TakeLock(settings);
        if (only is null)
        {
            terminal.Error($"Another run is using {settings.DataFolder}.\n  fix  stop it, or choose another folder: ./run --data DIR");
            return 1;
        }

        var tools = AspireTools.Find(_builder.Configuration);
        var dashboard = tools is null ? null : DashboardSetup.Create(tools, _builder.Configuration);
        IProcessRunner runner = tools is null
            ? new PlainProcesses(settings.PidFolder)
            : new DcpProcesses(tools.Dcp, Path.Combine(settings.DataFolder, "run", "dcp"));
        using var health = new HealthProbes(_services.GetRequiredService<HealthCheckService>(), TimeProvider.System);
        using var orchestrator = new Orchestrator(
            dashboard is null ? _builder.Resources : [.. _builder.Resources, dashboard.Resource],
            runner, health, settings, dashboard?.ServiceEnvironment ?? [], terminal, TimeProvider.System);
        await using var service = dashboard is null ? null : await ResourceServiceHost.StartAsync(dashboard, orchestrator, settings.Title);
        terminal.Line($"Starting {settings.Title}");
        return await orchestrator.RunAsync(after => WriteTable(terminal, settings, dashboard, after), stop);
    }

    private void WriteTable(Terminal terminal, RunSettings settings, DashboardSetup? dashboard, TimeSpan after)
    {
        terminal.Line("");
        terminal.Line($"Up in {after.TotalSeconds:0.0} s.");
        terminal.Line("");
        foreach (var resource in _builder.Resources)
        {
            foreach (var endpoint in resource.Endpoints.Where(e => e.IsExternal))
            {
                terminal.Line($"  {resource.Name,-14} {endpoint.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal)}");
            }
        }

        if (dashboard is not null)
        {
            terminal.Line($"  {"dashboard",-14} {dashboard.FrontendUrl}");
        }

        terminal.Line($"  {"data",-14} {settings.DataFolder}");
        terminal.Line($"  {"logs",-14} {settings.LogFolder}");
        if (settings.Next.Length > 0)
        {
            terminal.Line("");
            terminal.Line(settings.Next);
        }
    }

    /// <summary>Two runs over the same data would be two of every server; the lock goes with the process.</summary>
    private static FileStream? TakeLock(RunSettings settings)
    {
        try
        {
            return new(Path.Combine(settings.DataFolder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
