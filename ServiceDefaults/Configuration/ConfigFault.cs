using System.Text;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>One thing that is wrong with the configuration, and how to mend it.</summary>
/// <param name="Key">Full key, such as <c>database.args.cp_max</c>; empty when the file itself is at fault.</param>
/// <param name="Value">As written; null when missing. Secrets never appear here.</param>
/// <param name="Where">File and line, or name of the environment variable; null when the key is missing.</param>
/// <param name="Problem">A sentence without its subject: "is not a whole number".</param>
/// <param name="Fix">What to write instead.</param>
public sealed record ConfigFault(string Key, string? Value, string? Where, string Problem, string Fix)
{
    /// <summary>All faults as the person at the terminal reads them.</summary>
    public static string Format(IReadOnlyList<ConfigFault> faults)
    {
        var text = new StringBuilder();
        text.Append("The configuration cannot be used: ").Append(faults.Count).AppendLine(faults.Count == 1 ? " fault." : " faults.");
        foreach (var fault in faults)
        {
            text.AppendLine();
            text.Append("  ").Append(fault.Key.Length > 0 ? fault.Key : "configuration");
            if (fault.Value is { } value)
            {
                text.Append(": ").Append(value);
            }

            text.Append(' ').AppendLine(fault.Problem);
            if (fault.Where is { } where)
            {
                text.Append("      in  ").AppendLine(where);
            }

            text.Append("      fix ").AppendLine(fault.Fix);
        }

        return text.ToString();
    }
}
