using System.Collections.Immutable;

namespace Aspire.Hosting.Running;

/// <summary>A resource as it stands now: what the terminal and the dashboard show.</summary>
internal sealed record ResourceView
{
    public required string Name { get; init; }
    /// <summary>Name with the suffix of this run, as the dashboard wants it: telemetry carries the two parts apart.</summary>
    public required string Id { get; init; }
    public required string Type { get; init; }
    public bool IsHidden { get; init; }
    /// <summary>Words of the Aspire dashboard: Waiting, Starting, Running, Stopping, Exited, Finished, FailedToStart.</summary>
    public string State { get; init; } = "NotStarted";
    /// <summary>success, info, warning, error; null lets the dashboard decide.</summary>
    public string? Style { get; init; }
    public int? Pid { get; init; }
    public int? ExitCode { get; init; }
    public int Restarts { get; init; }
    public required DateTimeOffset Created { get; init; }
    public DateTimeOffset? Started { get; init; }
    public DateTimeOffset? Stopped { get; init; }
    public ImmutableArray<HealthView> Health { get; init; } = [];
    public ImmutableArray<(string Name, string Url, bool IsInternal)> Urls { get; init; } = [];
    public ImmutableArray<(string Name, string Value)> Environment { get; init; } = [];
    public string Path { get; init; } = "";
    public string? ProjectPath { get; init; }
    public string WorkingDirectory { get; init; } = "";
    public ImmutableArray<string> Arguments { get; init; } = [];
    public string? Parent { get; init; }
    public ImmutableArray<string> WaitsFor { get; init; } = [];
}

/// <param name="IsHealthy">Null before the first result.</param>
internal sealed record HealthView(string Key, bool? IsHealthy, string Description, DateTimeOffset? At);

internal sealed record LogLine(int Number, string Text, bool IsError);
