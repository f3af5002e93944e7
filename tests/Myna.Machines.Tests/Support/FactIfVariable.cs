namespace Myna.Machines.Tests.Support;

/// <summary>A test that needs environment variables, skipped with the reason where one is missing.</summary>
public sealed class FactIfVariableAttribute : FactAttribute
{
    public FactIfVariableAttribute(params string[] names)
    {
        if (Array.Find(names, static n => string.IsNullOrEmpty(Environment.GetEnvironmentVariable(n))) is { } missing)
            Skip = $"{missing} is not set";
    }
}
