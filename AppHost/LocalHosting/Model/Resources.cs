namespace Aspire.Hosting.ApplicationModel;

public interface IResource
{
    string Name { get; }
}

public interface IResourceWithEnvironment : IResource;

public interface IResourceWithEndpoints : IResource;

public interface IResourceWithWaitSupport : IResource;

public interface IResourceWithArgs : IResource;

public interface IResourceWithConnectionString : IResource
{
    ReferenceExpression ConnectionStringExpression { get; }
}

public interface IResourceBuilder<out T>
    where T : IResource
{
    IDistributedApplicationBuilder ApplicationBuilder { get; }
    T Resource { get; }
}

/// <summary>Written by the build for every project that AppHost references.</summary>
public interface IProjectMetadata
{
    string ProjectPath { get; }
}

/// <summary>What the orchestrator needs to know of a resource; filled by the extension methods.</summary>
public abstract class Resource(string name) : IResource
{
    public string Name { get; } = name;

    internal List<EndpointAnnotation> Endpoints { get; } = [];
    internal List<KeyValuePair<string, Func<string>>> Environment { get; } = [];
    internal List<WaitAnnotation> Waits { get; } = [];
    internal List<HttpProbe> HttpProbes { get; } = [];
    internal List<string> HealthCheckKeys { get; } = [];
    internal List<string> Arguments { get; } = [];
    internal string? Parent { get; set; }
}

/// <summary>A resource that is a process.</summary>
public abstract class ProcessResource(string name) : Resource(name), IResourceWithEnvironment, IResourceWithEndpoints, IResourceWithWaitSupport, IResourceWithArgs
{
    internal abstract string TypeName { get; }
    internal abstract string Command { get; }
    internal abstract string WorkingDirectory { get; }
    /// <summary>Not shown in the dashboard and not counted when the run reports that it is up.</summary>
    internal bool IsHidden { get; init; }
}

public class ExecutableResource(string name, string command, string workingDirectory) : ProcessResource(name)
{
    internal override string TypeName => "Executable";
    internal override string Command => command;
    internal override string WorkingDirectory => workingDirectory;
}

public class ProjectResource(string name, string projectPath) : ProcessResource(name)
{
#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif

    internal string ProjectPath => projectPath;
    internal override string TypeName => "Project";
    internal override string WorkingDirectory => Path.GetDirectoryName(projectPath)!;
    internal override string Command => Path.Combine(WorkingDirectory, "bin", Configuration, "net10.0", Path.GetFileNameWithoutExtension(projectPath));
}

public class ConnectionStringResource(string name, ReferenceExpression expression) : Resource(name), IResourceWithConnectionString
{
    public ReferenceExpression ConnectionStringExpression { get; } = expression;
}

/// <param name="OnCompletion">Wait until it has ended with code 0, not until it is healthy.</param>
internal sealed record WaitAnnotation(IResource On, bool OnCompletion);

internal sealed record HttpProbe(string EndpointName, string Path);
