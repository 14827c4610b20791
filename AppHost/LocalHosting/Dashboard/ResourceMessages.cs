using Aspire.Hosting.Running;

namespace Aspire.Hosting.Dashboard;

/// <summary>Messages of <c>aspire.v1.DashboardService</c>; the numbers are those of its published interface.</summary>
internal static class ResourceMessages
{
    public const string Start = "resource-start";
    public const string Stop = "resource-stop";
    public const string Restart = "resource-restart";

    public static void ApplicationInformation(ProtoWriter message, string name) => message.Text(1, name);

    /// <summary>WatchResourcesUpdate with initial_data.</summary>
    public static void Initial(ProtoWriter message, IEnumerable<ResourceView> views) => message.Message(1, data =>
    {
        foreach (var view in views)
        {
            data.Message(1, m => Resource(m, view));
        }
    });

    /// <summary>WatchResourcesUpdate with changes.</summary>
    public static void Upserts(ProtoWriter message, IEnumerable<ResourceView> views) => message.Message(2, changes =>
    {
        foreach (var view in views)
        {
            changes.Message(1, change => change.Message(2, m => Resource(m, view)));
        }
    });

    /// <summary>WatchResourceConsoleLogsUpdate.</summary>
    public static void LogLines(ProtoWriter message, IReadOnlyList<LogLine> lines)
    {
        foreach (var line in lines)
        {
            message.Message(1, m =>
            {
                m.Text(1, line.Text);
                m.Flag(2, line.IsError);
                m.Number(3, line.Number);
            });
        }
    }

    /// <summary>ResourceCommandResponse.</summary>
    public static void CommandResult(ProtoWriter message, string? fault)
    {
        message.Number(1, fault is null ? 1 : 2);
        message.Text(2, fault);
    }

    private static void Resource(ProtoWriter m, ResourceView view)
    {
        m.Text(1, view.Id);
        m.Text(2, view.Type);
        m.Text(3, view.Name);
        m.Text(4, view.Id);
        m.Text(5, view.State);
        // Without it the page says "Loading" for ever.
        m.Time(6, view.Created);
        foreach (var (name, value) in view.Environment)
        {
            m.Message(7, e =>
            {
                e.Text(1, name);
                e.Text(2, value);
                e.Flag(3, true);
            });
        }

        var isRunning = view.State == "Running";
        var canStart = view.State is "Exited" or "Finished" or "FailedToStart" or "NotStarted";
        Command(m, Start, "Start", "Play", canStart ? 0 : 2);
        Command(m, Stop, "Stop", "Stop", isRunning ? 0 : view.State is "Starting" or "Stopping" ? 1 : 2);
        Command(m, Restart, "Restart", "ArrowCounterclockwise", isRunning ? 0 : 1);
        Properties(m, view);
        var order = 0;
        foreach (var (name, url, isInternal) in view.Urls)
        {
            m.Message(13, u =>
            {
                u.Text(1, name);
                u.Text(2, url);
                u.Flag(3, isInternal);
                u.Flag(4, !isRunning);
                u.Message(5, d =>
                {
                    d.Number(1, order++);
                    d.Text(2, "");
                });
            });
        }

        m.Text(14, view.Style);
        foreach (var check in view.Health)
        {
            m.Message(17, h =>
            {
                if (check.IsHealthy is { } isHealthy)
                {
                    h.Number(1, isHealthy ? 0 : 1);
                }

                h.Text(2, check.Key);
                h.Text(3, check.Description);
                h.Time(5, check.At);
            });
        }

        m.Time(18, view.Started);
        m.Time(19, view.Stopped);
        foreach (var other in view.WaitsFor)
        {
            Relationship(m, other, "WaitFor");
        }

        if (view.Parent is { } parent)
        {
            Relationship(m, parent, "Parent");
        }

        m.Flag(21, view.IsHidden);
        m.Flag(22, view.Type == "Project");
    }

    private static void Properties(ProtoWriter m, ResourceView view)
    {
        Property(m, "executable.path", view.Path);
        Property(m, "executable.workDir", view.WorkingDirectory);
        if (!view.Arguments.IsEmpty)
        {
            m.Message(12, p =>
            {
                p.Text(1, "executable.args");
                p.Message(3, v => v.Message(6, list =>
                {
                    foreach (var argument in view.Arguments)
                    {
                        list.TextValue(1, argument);
                    }
                }));
            });
        }

        if (view.ProjectPath is { } project)
        {
            Property(m, "project.path", project);
        }

        if (view.Pid is { } pid)
        {
            m.Message(12, p =>
            {
                p.Text(1, "executable.pid");
                p.Message(3, v => v.Double(2, pid));
            });
        }

        if (view.ExitCode is { } code)
        {
            m.Message(12, p =>
            {
                p.Text(1, "resource.exitCode");
                p.Message(3, v => v.Double(2, code));
            });
        }
    }

    private static void Property(ProtoWriter m, string name, string value) => m.Message(12, p =>
    {
        p.Text(1, name);
        p.TextValue(3, value);
    });

    private static void Relationship(ProtoWriter m, string resource, string type) => m.Message(20, r =>
    {
        r.Text(1, resource);
        r.Text(2, type);
    });

    /// <param name="state">0 enabled, 1 disabled, 2 hidden.</param>
    private static void Command(ProtoWriter m, string name, string title, string icon, int state) => m.Message(11, c =>
    {
        c.Text(1, name);
        c.Text(2, title);
        c.Flag(5, true);
        c.Text(6, icon);
        c.Number(7, 1);
        c.Number(9, state);
    });
}
