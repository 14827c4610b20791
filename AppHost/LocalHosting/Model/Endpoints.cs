using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Aspire.Hosting.ApplicationModel;

public sealed class EndpointAnnotation(string name)
{
    public string Name { get; } = name;
    public int? Port { get; set; }
    public int? TargetPort { get; set; }
    /// <summary>Always false in effect: nothing stands in front of a process here.</summary>
    public bool IsProxied { get; set; } = true;
    public string UriScheme { get; set; } = "http";
    public bool IsExternal { get; set; }

    internal string Url => string.Create(CultureInfo.InvariantCulture, $"{UriScheme}://127.0.0.1:{Port ?? TargetPort}");
}

public enum EndpointProperty
{
    Url,
    Host,
    Port,
}

public sealed class EndpointReference(IResourceWithEndpoints owner, string endpointName)
{
    public string Url => Annotation.Url;

    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);

    internal EndpointAnnotation Annotation => ((Resource)owner).Endpoints.Find(e => e.Name == endpointName)
        ?? throw new InvalidOperationException($"{owner.Name} has no endpoint {endpointName}.");
}

public sealed class EndpointReferenceExpression(EndpointReference endpoint, EndpointProperty property)
{
    internal string Value => property switch
    {
        EndpointProperty.Url => endpoint.Url,
        EndpointProperty.Host => "127.0.0.1",
        _ => (endpoint.Annotation.Port ?? endpoint.Annotation.TargetPort ?? 0).ToString(CultureInfo.InvariantCulture),
    };
}

/// <summary>Text with parts that are known later.</summary>
public sealed class ReferenceExpression
{
    private readonly IReadOnlyList<Func<string>> _parts;

    private ReferenceExpression(IReadOnlyList<Func<string>> parts) => _parts = parts;

    internal string Value
    {
        get
        {
            var text = new StringBuilder();
            foreach (var part in _parts)
            {
                text.Append(part());
            }

            return text.ToString();
        }
    }

    public static ReferenceExpression Create(in Parts handler) => new(handler.List);

    [InterpolatedStringHandler]
    public readonly struct Parts(int literalLength, int formattedCount)
    {
        internal List<Func<string>> List { get; } = new(formattedCount + (literalLength > 0 ? 1 : 0));

        public void AppendLiteral(string text) => List.Add(() => text);

        public void AppendFormatted(string? text) => List.Add(() => text ?? "");

        public void AppendFormatted(EndpointReferenceExpression part) => List.Add(() => part.Value);
    }
}
