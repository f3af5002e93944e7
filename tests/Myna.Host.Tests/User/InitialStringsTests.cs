using System.Text;
using Myna.Host.User;

namespace Myna.Host.Tests.User;

/// <summary>What the kernel put on the first thread's stack, against what it says in /proc.</summary>
public class InitialStringsTests
{
    private static string[] Strings(string file)
        => Encoding.Latin1.GetString(File.ReadAllBytes(file)).TrimEnd('\0').Split('\0');

    [Fact]
    public void Arguments_are_those_that_the_kernel_shows() => Assert.Equal(Strings("/proc/self/cmdline"), InitialStrings.Arguments());

    [Fact]
    public void The_environment_is_the_one_that_the_kernel_shows() => Assert.Equal(Strings("/proc/self/environ"), InitialStrings.Environment());

    [Fact]
    public void The_path_names_this_program() => Assert.Equal(Path.GetFileName(Environment.ProcessPath), Path.GetFileName(InitialStrings.Path));
}
