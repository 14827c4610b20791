using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Matrix.Testing.Specification;

/// <summary>A survey: with ARMADA_SCHEMA_NOTES no fault fails a test; faults and what is only worth reading are counted, and written to that file at the end.</summary>
internal static partial class SpecificationNotes
{
    private static readonly string? Target = Environment.GetEnvironmentVariable("ARMADA_SCHEMA_NOTES");
    private static readonly ConcurrentDictionary<string, int> Counts = new(StringComparer.Ordinal);

    static SpecificationNotes()
    {
        if (Target is not null) AppDomain.CurrentDomain.ProcessExit += (_, _) => File.AppendAllLines(Target,
            Counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => c.Value.ToString(CultureInfo.InvariantCulture).PadLeft(6) + " " + c.Key));
    }

    public static bool AreWanted => Target is not null;

    public static void Add(Operation operation, string note)
    {
        if (AreWanted) Counts.AddOrUpdate($"{operation} {note}", 1, (_, n) => n + 1);
    }

    public static void Unknown(Operation operation, int status, IEnumerable<string> pointers)
    {
        if (!AreWanted) return;
        foreach (var pointer in pointers) Add(operation, $"{status} unknown member {Variable().Replace(pointer, "/*")}");
    }

    /// <summary>Parts of a pointer that differ from answer to answer.</summary>
    [GeneratedRegex(@"/(\d+|[!@$#][^/]*)(?=/|$)")]
    private static partial Regex Variable();
}
