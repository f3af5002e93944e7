namespace Myna.Machines.Tests.Support;

/// <summary>A test that needs a program of the host, skipped with the reason where it is missing.</summary>
public sealed class FactIfToolAttribute : FactAttribute
{
    public FactIfToolAttribute(string tool)
    {
        string[] path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        if (!Array.Exists(path, directory => File.Exists(Path.Combine(directory, tool))))
            Skip = $"{tool} is not installed";
    }
}
