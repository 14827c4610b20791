using System.Diagnostics.Metrics;
using Matrix.Gateway.Routing;

namespace Matrix.Gateway.Proxy;

internal sealed class GatewayMetrics
{
    public const string MeterName = "Armada.Gateway";

    private static readonly string[] StatusClasses = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
    private readonly Counter<long> requests;
    private readonly Counter<long> retries;
    private readonly Counter<long> unserved;
    private readonly Histogram<double> duration;

    public GatewayMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        requests = meter.CreateCounter<long>("armada.gateway.requests", "{request}", "Requests passed on, by route class, service group and status class.");
        retries = meter.CreateCounter<long>("armada.gateway.retries", "{request}", "Attempts after the first.");
        unserved = meter.CreateCounter<long>("armada.gateway.unserved", "{request}", "Requests for which no instance was found.");
        duration = meter.CreateHistogram<double>("armada.gateway.duration", "s", "From the request's head to the end of the answer, long polls included.");
    }

    public void Answered(RouteClass routeClass, string group, int status, TimeSpan took)
    {
        if (requests.Enabled)
            requests.Add(1, new("class", routeClass.Name), new("service", group), new("status", StatusClasses[status is >= 100 and < 600 ? status / 100 : 0]));
        if (duration.Enabled) duration.Record(took.TotalSeconds, new("class", routeClass.Name), new KeyValuePair<string, object?>("service", group));
    }

    public void Retried(RouteClass routeClass, string group) => retries.Add(1, new("class", routeClass.Name), new KeyValuePair<string, object?>("service", group));

    public void Unserved(RouteClass routeClass, string group) => unserved.Add(1, new("class", routeClass.Name), new KeyValuePair<string, object?>("service", group));
}
