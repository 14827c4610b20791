namespace Matrix.ServiceDefaults.Templating;

/// <summary>A template that cannot be understood: an administrator's mistake, told at start with the place.</summary>
internal sealed class TemplateException(string message) : Exception(message);
