namespace Myna.Differential.Tests;

/// <summary>A test that needs a program of the host; without it, it is skipped and says so.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class FactIfToolAttribute : FactAttribute
{
    public FactIfToolAttribute(string tool)
    {
        string[] path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        if (!Array.Exists(path, directory => File.Exists(Path.Combine(directory, tool))))
            Skip = $"{tool} is not installed";
    }
}
