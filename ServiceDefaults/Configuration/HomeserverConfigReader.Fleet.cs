namespace Matrix.ServiceDefaults.Configuration;

/// <summary>Which processes of a fleet do what.</summary>
internal sealed partial class HomeserverConfigReader
{
    private WorkerDuties ReadDuties() => new()
    {
        BackgroundTasks = root.Texts("run_background_tasks_on") ?? [],
        FederationSenders = root.Texts("federation_sender_instances") ?? [],
        Pushers = root.Texts("pusher_instances") ?? [],
        AppServices = root.Texts("notify_appservices_from_worker") ?? [],
        UserDirectory = root.Texts("update_user_directory_from_worker") ?? [],
        MediaBackground = root.Texts("media_instance_running_background_jobs") ?? [],
    };

    /// <summary>The stream of stream_writers decides which requests go to its writers; armada.routes names route classes themselves.</summary>
    private Dictionary<string, string> ReadRouteGroups(ConfigSection ours)
    {
        var groups = new Dictionary<string, string>(StringComparer.Ordinal);
        var writers = root.Section("stream_writers");
        foreach (var stream in writers.Keys)
        {
            var routeClass = stream switch
            {
                "events" => "event_send",
                "typing" or "to_device" or "account_data" or "receipts" or "presence" or "push_rules" or "device_lists" => stream,
                _ => null,
            };
            if (writers.Texts(stream) is not { Count: > 0 } names)
            {
                continue;
            }

            if (routeClass is null)
            {
                warnings.Add($"stream_writers.{stream} has no effect: requests of that stream are not routed apart");
                continue;
            }

            groups[routeClass] = string.Join(',', names);
        }

        var routes = ours.Section("routes");
        foreach (var routeClass in routes.Keys)
        {
            if (routes.Texts(routeClass) is { Count: > 0 } names)
            {
                groups[routeClass] = string.Join(',', names);
            }
        }

        return groups;
    }
}
