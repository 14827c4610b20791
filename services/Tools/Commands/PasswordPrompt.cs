using System.Text;

namespace Matrix.Tools.Commands;

internal static class PasswordPrompt
{
    /// <summary>Typed unseen at a terminal; the first line of a pipe otherwise.</summary>
    public static async Task<string?> ReadAsync(ToolContext context, CancellationToken ct)
    {
        if (!ReferenceEquals(context.In, Console.In) || Console.IsInputRedirected) return await context.In.ReadLineAsync(ct);
        await context.Error.WriteAsync("Password: ");
        var text = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key != ConsoleKey.Backspace) text.Append(key.KeyChar);
            else if (text.Length > 0) text.Length--;
        }
        await context.Error.WriteLineAsync();
        return text.ToString();
    }
}
