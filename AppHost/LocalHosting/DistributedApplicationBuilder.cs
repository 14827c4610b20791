using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

public interface IDistributedApplicationBuilder
{
    ConfigurationManager Configuration { get; }
    IServiceCollection Services { get; }
    DistributedApplicationExecutionContext ExecutionContext { get; }
    string AppHostDirectory { get; }
    DistributedApplication Build();
}

/// <summary>Only runs; publishing needs the real package.</summary>
public sealed class DistributedApplicationExecutionContext
{
    internal DistributedApplicationExecutionContext()
    {
    }

    public bool IsRunMode => true;
    public bool IsPublishMode => false;
}

internal sealed class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    public DistributedApplicationBuilder(string[] args)
    {
        Configuration.AddEnvironmentVariables();
        _ = args;
    }

    public ConfigurationManager Configuration { get; } = new();
    public IServiceCollection Services { get; } = new ServiceCollection();
    public DistributedApplicationExecutionContext ExecutionContext { get; } = new();
    public string AppHostDirectory { get; } = FindAppHost();
    public List<Resource> Resources { get; } = [];

    public DistributedApplication Build()
    {
        Services.AddLogging();
        Services.AddHealthChecks();
        return new(this);
    }

    internal IResourceBuilder<T> Add<T>(T resource)
        where T : Resource
    {
        if (Resources.Any(r => r.Name == resource.Name))
        {
            throw new InvalidOperationException($"Two resources are called {resource.Name}.");
        }

        Resources.Add(resource);
        return new ResourceBuilder<T>(this, resource);
    }

    /// <summary>bin/Release/net10.0 is three folders below the project.</summary>
    private static string FindAppHost() => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", ".."));

    private sealed record ResourceBuilder<T>(IDistributedApplicationBuilder ApplicationBuilder, T Resource) : IResourceBuilder<T>
        where T : IResource;
}
