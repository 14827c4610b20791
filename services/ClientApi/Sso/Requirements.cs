using Matrix.ClientApi.Pages;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso;

/// <summary><c>attribute_requirements</c>: who may log in at all.</summary>
internal static class Requirements
{
    /// <param name="valuesOf">The values of an attribute; null: it is not there.</param>
    public static void Check(IReadOnlyList<AttributeRequirement> requirements, Func<string, IReadOnlyList<string>?> valuesOf)
    {
        foreach (var requirement in requirements)
        {
            var values = valuesOf(requirement.Attribute);
            if (values is null || (requirement.Values is { } allowed && !values.Any(allowed.Contains)))
                throw new PageException(403, "unauthorised", "You are known to the provider, but you may not use this server.");
        }
    }
}
