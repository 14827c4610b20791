using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>The members of Aspire.Hosting's extension classes that AppHost uses, with the same names and parameters.</summary>
public static class ResourceBuilderExtensions
{
    public static IResourceBuilder<ExecutableResource> AddExecutable(
        this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory, params string[] args)
    {
        var resource = new ExecutableResource(name, command, workingDirectory);
        resource.Arguments.AddRange(args);
        return ((DistributedApplicationBuilder)builder).Add(resource);
    }

    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new() =>
        ((DistributedApplicationBuilder)builder).Add(new ProjectResource(name, new TProject().ProjectPath));

    public static IResourceBuilder<ConnectionStringResource> AddConnectionString(
        this IDistributedApplicationBuilder builder, string name, ReferenceExpression connectionStringExpression) =>
        ((DistributedApplicationBuilder)builder).Add(new ConnectionStringResource(name, connectionStringExpression));

    public static IResourceBuilder<T> WithEndpoint<T>(this IResourceBuilder<T> builder, string endpointName, Action<EndpointAnnotation> callback)
        where T : IResourceWithEndpoints
    {
        var resource = Of(builder);
        var endpoint = resource.Endpoints.Find(e => e.Name == endpointName);
        if (endpoint is null)
        {
            resource.Endpoints.Add(endpoint = new(endpointName));
        }

        callback(endpoint);
        return builder;
    }

    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name)
        where T : IResourceWithEndpoints => new(builder.Resource, name);

    public static IResourceBuilder<T> WithHttpHealthCheck<T>(this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null)
        where T : IResourceWithEndpoints
    {
        _ = statusCode;
        Of(builder).HttpProbes.Add(new(endpointName ?? "http", path ?? "/"));
        return builder;
    }

    public static IResourceBuilder<T> WithHealthCheck<T>(this IResourceBuilder<T> builder, string key)
        where T : IResource
    {
        Of(builder).HealthCheckKeys.Add(key);
        return builder;
    }

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, string? value)
        where T : IResourceWithEnvironment
    {
        Of(builder).Environment.Add(new(name, () => value ?? ""));
        return builder;
    }

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, ReferenceExpression value)
        where T : IResourceWithEnvironment
    {
        Of(builder).Environment.Add(new(name, () => value.Value));
        return builder;
    }

    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params string[] args)
        where T : IResourceWithArgs
    {
        Of(builder).Arguments.AddRange(args);
        return builder;
    }

    public static IResourceBuilder<T> WithReference<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResourceWithConnectionString> source)
        where T : IResourceWithEnvironment
    {
        var expression = source.Resource.ConnectionStringExpression;
        Of(builder).Environment.Add(new($"ConnectionStrings__{source.Resource.Name}", () => expression.Value));
        return builder;
    }

    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport
    {
        Of(builder).Waits.Add(new(dependency.Resource, OnCompletion: false));
        return builder;
    }

    public static IResourceBuilder<T> WaitForCompletion<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport
    {
        Of(builder).Waits.Add(new(dependency.Resource, OnCompletion: true));
        return builder;
    }

    public static IResourceBuilder<T> WithParentRelationship<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> parent)
        where T : IResource
    {
        Of(builder).Parent = parent.Resource.Name;
        return builder;
    }

    private static Resource Of<T>(IResourceBuilder<T> builder)
        where T : IResource => (Resource)(object)builder.Resource;
}
