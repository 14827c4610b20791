using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Matrix.Testing.Time;

namespace Matrix.AppHostTests.Running;

public sealed class OrchestratorTests : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("armada-run");
    private readonly DistributedApplicationBuilder _builder = new([]);
    private readonly FakeRunner _runner = new();
    private readonly ManualTime _time = new();
    private readonly StringWriter _output = new();
    private readonly StringWriter _errors = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _up = new();
    private ServiceProvider? _services;
    private Orchestrator? _orchestrator;
    private Task<int>? _running;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_running is not null)
        {
            await _running;
        }

        _orchestrator?.Dispose();
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task What_others_wait_for_starts_first_and_stops_last()
    {
        var isHealthy = false;
        _builder.Services.AddHealthChecks().AddCheck("database-answers", () => isHealthy ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
        var database = Add("database").WithHealthCheck("database-answers");
        var migrator = Add("migrator").WaitFor(database);
        Add("service").WaitForCompletion(migrator);
        Run();

        await _runner.NextAsync();
        Assert.Equal(["start database"], _runner.Events);
        isHealthy = true;
        (await LaterAsync())!.Exit(0);
        await _runner.NextAsync();
        await _up.Task;
        await StopAsync();
        Assert.Equal(["start database", "start migrator", "start service", "stop service", "stop database"], _runner.Events);
    }

    [Fact]
    public async Task Who_dies_is_started_again_with_growing_pauses()
    {
        Add("service");
        Run();
        (await _runner.NextAsync()).Exit(137);
        (await _runner.NextAsync()).Exit(137);
        await UntilAsync(() => View("service").Restarts == 2);
        Assert.Equal(2, _runner.Events.Count);
        Assert.NotNull(await LaterAsync());
        Assert.Contains("service has ended (exit code 137) and is started again in 0.25 s", _output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_service_that_cannot_use_its_configuration_ends_the_run_with_its_last_words(int code)
    {
        Add("database");
        NeverHealthy(Add("service"));
        Run();
        var processes = new[] { await _runner.NextAsync(), await _runner.NextAsync() };
        var service = processes.Single(p => p.Spec.Name == "service");
        service.Say("Port 8008 is in use.");
        service.Exit(code);
        Assert.Equal(1, await _running!);
        Assert.Contains($"service could not start (exit code {code}). Its last output:\n\n  Port 8008 is in use.\n", _errors.ToString(), StringComparison.Ordinal);
        Assert.Contains("stop database", _runner.Events);
    }

    [Fact]
    public async Task A_failed_migration_ends_the_run()
    {
        Add("service").WaitForCompletion(Add("migrator"));
        Run();
        (await _runner.NextAsync()).Exit(1);
        Assert.Equal(1, await _running!);
        Assert.Equal(["start migrator"], _runner.Events);
    }

    [Fact]
    public async Task A_service_that_never_gets_ready_is_given_up_after_three_times()
    {
        NeverHealthy(Add("service"));
        Run();
        var starts = 0;
        while (await LaterAsync() is { } process)
        {
            starts++;
            process.Exit(134);
        }

        Assert.Equal((3, 1), (starts, await _running!));
    }

    [Fact]
    public async Task A_program_that_is_not_there_ends_the_run()
    {
        _runner.CannotStart.Add("service");
        Add("service");
        Run();
        Assert.Equal(1, await _running!);
        Assert.Contains("does not exist", _errors.ToString(), StringComparison.Ordinal);
        Assert.Equal("FailedToStart", View("service").State);
    }

    [Fact]
    public async Task Stopped_by_command_it_stays_down_until_started_by_command()
    {
        Add("service");
        Run();
        await _runner.NextAsync();
        await _up.Task;
        Assert.True(Resource("service").TryCommand(ResourceCommand.Stop));
        await UntilAsync(() => View("service").State == "Exited");
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(["start service", "stop service"], _runner.Events);
        Assert.True(Resource("service").TryCommand(ResourceCommand.Start));
        await _runner.NextAsync();
        Assert.True(Resource("service").TryCommand(ResourceCommand.Restart));
        await _runner.NextAsync();
        Assert.Equal(0, View("service").Restarts);
    }

    [Fact]
    public async Task Process_ids_are_in_files_while_the_processes_live()
    {
        Add("service");
        Run();
        await _runner.NextAsync();
        await _up.Task;
        Assert.Equal("4711\n", File.ReadAllText(Path.Combine(_folder.FullName, "run", "service.pid")));
        Assert.Equal($"{Environment.ProcessId}\n", File.ReadAllText(Path.Combine(_folder.FullName, "run", "host.pid")));
        await StopAsync();
        Assert.Empty(Directory.GetFiles(Path.Combine(_folder.FullName, "run")));
    }

    [Fact]
    public async Task Projects_learn_where_telemetry_goes_and_who_they_are_and_others_do_not()
    {
        _builder.Add(new ProjectResource("sync-1", "/nowhere/Sync.csproj"));
        Add("database");
        Run(new KeyValuePair<string, string>("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"));
        var processes = new[] { await _runner.NextAsync(), await _runner.NextAsync() }.ToDictionary(p => p.Spec.Name);
        Assert.Equal(
            ["OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_SERVICE_NAME=sync-1", $"OTEL_RESOURCE_ATTRIBUTES=service.instance.id={_orchestrator!.Settings.Suffix}"],
            processes["sync-1"].Spec.Environment.Select(e => $"{e.Key}={e.Value}"));
        Assert.Empty(processes["database"].Spec.Environment);
    }

    [Fact]
    public async Task All_that_a_process_says_is_in_its_log_file()
    {
        Add("service");
        Run();
        var process = await _runner.NextAsync();
        process.Say("one");
        process.Say("two");
        Assert.Equal("one\ntwo\n", File.ReadAllText(Path.Combine(_folder.FullName, "logs", "service.log")));
        Assert.Equal(["two"], Resource("service").Log.After(1).Select(l => l.Text));
    }

    private IResourceBuilder<ExecutableResource> Add(string name) => _builder.AddExecutable(name, "/bin/" + name, "/");

    private void NeverHealthy(IResourceBuilder<ExecutableResource> resource)
    {
        _builder.Services.AddHealthChecks().AddCheck("never", () => HealthCheckResult.Unhealthy());
        resource.WithHealthCheck("never");
    }

    private void Run(params KeyValuePair<string, string>[] environment)
    {
        _builder.Services.AddLogging();
        _builder.Services.AddHealthChecks();
        _services = _builder.Services.BuildServiceProvider();
        var health = new HealthProbes(_services.GetRequiredService<HealthCheckService>(), _time);
        _orchestrator = new(_builder.Resources, _runner, health, new(_folder.FullName, "test", ""), environment, new(_output, _errors), _time);
        _running = _orchestrator.RunAsync(_ => _up.TrySetResult(), _stop.Token);
    }

    private async Task StopAsync()
    {
        await _stop.CancelAsync();
        Assert.Equal(0, await _running!);
    }

    /// <summary>The next process that is started as time passes; null when the run is over.</summary>
    private async Task<FakeProcess?> LaterAsync()
    {
        while (!_running!.IsCompleted)
        {
            if (_runner.TryNext() is { } process)
            {
                return process;
            }

            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        return _runner.TryNext();
    }

    private ManagedResource Resource(string name) => _orchestrator!.Resources.Single(r => r.Resource.Name == name);

    private ResourceView View(string name) => Resource(name).View;

    private async Task UntilAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var version = _orchestrator!.Changes.Version;
            if (condition())
            {
                return;
            }

            await _orchestrator.Changes.WaitAsync(version, limit.Token);
        }
    }
}
