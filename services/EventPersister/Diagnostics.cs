using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Matrix.EventPersister;

/// <summary>What the persister measures and traces.</summary>
internal static class Diagnostics
{
    public const string Name = "Armada.EventPersister";

    public static readonly ActivitySource Activities = new(Name);
    private static readonly Meter Meter = new(Name);

    public static readonly Counter<long> Events = Meter.CreateCounter<long>("armada.persister.events", "{event}", "Events that were committed.");
    public static readonly Histogram<double> CommitSeconds = Meter.CreateHistogram<double>("armada.persister.commit.duration", "s", "From sending a transaction to its commit.");
    public static readonly Histogram<long> CommitEvents = Meter.CreateHistogram<long>("armada.persister.commit.events", "{event}", "Events that shared a transaction.");
    /// <summary>Rooms whose events were built again because another persister had moved them.</summary>
    public static readonly Counter<long> Rebuilt = Meter.CreateCounter<long>("armada.persister.rebuilt", "{room}", "Turns that another persister's commit made void.");
    public static readonly Counter<long> Loaded = Meter.CreateCounter<long>("armada.persister.rooms.loaded", "{room}", "Rooms read into memory.");

    public static readonly Counter<long> Resolutions = Meter.CreateCounter<long>("armada.persister.resolutions", "{resolution}", "Forks whose states were resolved.");
    /// <summary>By verdict.</summary>
    public static readonly Counter<long> Ingested = Meter.CreateCounter<long>("armada.persister.ingested", "{event}", "Events of other servers that were judged.");

    public static void ObserveRooms(Func<int> count) =>
        Meter.CreateObservableGauge("armada.persister.rooms", count, "{room}", "Rooms with an actor in this process.");

    /// <summary>A span that works for several requests: part of the first one's trace, linked with those of the others. Null while nobody traces.</summary>
    public static Activity? StartShared<T>(string name, IReadOnlyList<T> items, Func<T, ActivityContext> contextOf)
    {
        if (!Activities.HasListeners() || items.Count == 0) return null;
        var links = items.Count == 1 ? null : new List<ActivityLink>();
        if (links is not null)
            for (var i = 1; i < items.Count; i++) if (contextOf(items[i]) is { } other && other != default) links.Add(new ActivityLink(other));
        return Activities.StartActivity(name, ActivityKind.Internal, contextOf(items[0]), links: links);
    }
}
