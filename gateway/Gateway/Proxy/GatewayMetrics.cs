using System.Diagnostics.Metrics;
using Matrix.Gateway.Routing;

namespace Matrix.Gateway.Proxy;

internal sealed class GatewayMetrics
{
    public const string MeterName = "Armada.Gateway";

    private static readonly string[] StatusClasses = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
    private readonly long[] requests = new long[RouteClass.All.Count * StatusClasses.Length];
    private readonly RouteGroups groups;
    private readonly Counter<long> retries;
    private readonly Counter<long> unserved;
    private readonly Histogram<double> duration;

    public GatewayMetrics(IMeterFactory meters, RouteGroups groups)
    {
        this.groups = groups;
        var meter = meters.Create(MeterName);
        // Counted here and read by who wants to know: a request pays an increment.
        meter.CreateObservableCounter("armada.gateway.requests", Observe, "{request}", "Requests passed on, by route class, service group and status class.");
        retries = meter.CreateCounter<long>("armada.gateway.retries", "{request}", "Attempts after the first.");
        unserved = meter.CreateCounter<long>("armada.gateway.unserved", "{request}", "Requests for which no instance was found.");
        duration = meter.CreateHistogram<double>("armada.gateway.duration", "s", "From the request's head to the end of the answer, long polls included.");
    }

    public void Answered(RouteClass routeClass, string group, int status, TimeSpan took)
    {
        Interlocked.Increment(ref requests[routeClass.Index * StatusClasses.Length + (status is >= 100 and < 600 ? status / 100 : 0)]);
        if (duration.Enabled) duration.Record(took.TotalSeconds, new("class", routeClass.Name), new KeyValuePair<string, object?>("service", group));
    }

    private IEnumerable<Measurement<long>> Observe()
    {
        for (var i = 0; i < requests.Length; i++)
        {
            var count = Interlocked.Read(ref requests[i]);
            var routeClass = RouteClass.All[i / StatusClasses.Length];
            if (count > 0)
                yield return new(count, new("class", routeClass.Name), new("service", groups.Of(routeClass)), new("status", StatusClasses[i % StatusClasses.Length]));
        }
    }

    public void Retried(RouteClass routeClass, string group) => retries.Add(1, new("class", routeClass.Name), new KeyValuePair<string, object?>("service", group));

    public void Unserved(RouteClass routeClass, string group) => unserved.Add(1, new("class", routeClass.Name), new KeyValuePair<string, object?>("service", group));
}
