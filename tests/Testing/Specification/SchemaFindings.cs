using System.Text.Json;

namespace Matrix.Testing.Specification;

/// <summary>What a value does against its schema: faults, and members that the schema does not name.</summary>
internal sealed class SchemaFindings
{
    private const int Shown = 120;

    public List<string> Faults { get; } = [];
    public List<string> UnknownMembers { get; } = [];

    public void Fault(string pointer, string expectation, JsonElement value)
    {
        var text = value.ValueKind == JsonValueKind.Undefined ? "" : $", is {value.GetRawText()}";
        Faults.Add($"{pointer}: expected {expectation}{(text.Length > Shown ? text[..Shown] + "..." : text)}");
    }

    public void Unknown(string pointer) => UnknownMembers.Add(pointer);
}
