using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Myna.Architecture.Tests;

/// <summary>The rules of ARCHITECTURE.md that a project file or a source file can break.</summary>
public sealed partial class LayerTests
{
    /// <summary>From the bottom up: a project may reference only what stands before it.</summary>
    private static readonly string[] Layers =
    [
        "Myna.Generators", "Myna.Host", "Myna.Hardware", "Myna.Jit", "Myna.Cpu", "Myna.Devices", "Myna.Storage",
        "Myna.Network", "Myna.Machines", "Myna.Linux", "Myna.Control", "Myna.Exec", "Myna.Cli",
    ];

    private static readonly string[] Unsafe = ["Myna.Host", "Myna.Jit"];

    /// <summary>What stands below a project but is still none of its business.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Myna.Devices"] = ["Myna.Hardware", "Myna.Generators"],
        ["Myna.Storage"] = ["Myna.Host", "Myna.Hardware"],
        ["Myna.Network"] = ["Myna.Host", "Myna.Hardware"],
        ["Myna.Hardware"] = ["Myna.Host", "Myna.Generators"],
    };

    private static string Root { get; } = typeof(LayerTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .First(a => a.Key == "RepositoryRoot").Value!;

    private static IEnumerable<string> Projects => Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories)
        .Where(p => !p.Contains("/obj/", StringComparison.Ordinal));

    private static IEnumerable<string> Sources(string folder) => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
        .Where(p => !p.Contains("/obj/", StringComparison.Ordinal) && !p.Contains("/bin/", StringComparison.Ordinal));

    [Fact]
    public void Every_project_has_its_place_in_the_layers()
        => Assert.All(Projects, p => Assert.Contains(Path.GetFileNameWithoutExtension(p), Layers));

    [Fact]
    public void References_point_down_and_only_to_what_is_allowed()
    {
        foreach (string project in Projects)
        {
            string name = Path.GetFileNameWithoutExtension(project);
            foreach (XElement reference in XDocument.Load(project).Descendants("ProjectReference"))
            {
                string target = Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value);
                Assert.True(Array.IndexOf(Layers, target) < Array.IndexOf(Layers, name), $"{name} references {target}, which stands above it");
                if (Allowed.TryGetValue(name, out string[]? allowed))
                    Assert.True(allowed.Contains(target), $"{name} may not reference {target}");
            }
        }
    }

    [Fact]
    public void Unsafe_code_is_switched_on_only_where_it_belongs()
    {
        foreach (string project in Projects)
        {
            string name = Path.GetFileNameWithoutExtension(project);
            bool on = XDocument.Load(project).Descendants("AllowUnsafeBlocks").Any(e => e.Value == "true");
            Assert.True(!on || Unsafe.Contains(name), $"{name} allows unsafe code");
        }
    }

    /// <summary>Unsafe and MemoryMarshal's reference arithmetic compile without the switch; they are unsafe all the same.</summary>
    [Fact]
    public void Code_outside_the_unsafe_projects_does_not_use_unchecked_memory_access()
    {
        foreach (string file in Sources("src").Where(f => !Unsafe.Any(u => f.Contains($"/{u}/", StringComparison.Ordinal))))
        {
            Match match = Unchecked().Match(File.ReadAllText(file));
            Assert.False(match.Success, $"{Path.GetRelativePath(Root, file)} uses {match.Value}");
        }
    }

    [Fact]
    public void Only_host_and_code_generation_call_the_operating_system_by_import()
    {
        foreach (string file in Sources("src").Where(f => !f.Contains("/Myna.Host/", StringComparison.Ordinal)))
            Assert.False(Import().IsMatch(File.ReadAllText(file)), $"{Path.GetRelativePath(Root, file)} imports a native function");
    }

    [Fact]
    public void Device_models_use_no_clock_randomness_or_files_of_their_own()
    {
        foreach (string file in Sources("src/Myna.Devices"))
        {
            Match match = AmbientAuthority().Match(File.ReadAllText(file));
            Assert.False(match.Success, $"{Path.GetRelativePath(Root, file)} uses {match.Value}");
        }
    }

    [GeneratedRegex(@"\bUnsafe\.(As|Add|AddByteOffset|AsPointer|AsRef|Read|Write|Copy|SkipInit)\w*|\bMemoryMarshal\.(GetReference|CreateSpan|CreateReadOnlySpan|GetArrayDataReference)\b|\bstackalloc\b.*\*")]
    private static partial Regex Unchecked();

    [GeneratedRegex(@"\[\s*(LibraryImport|DllImport)\b")]
    private static partial Regex Import();

    [GeneratedRegex(@"\bDateTime(Offset)?\.(Utc)?Now\b|\bStopwatch\b|\bEnvironment\.TickCount|\bRandom\.Shared\b|\bnew Random\b|\bFile\.|\bnew FileStream\b|\bConsole\.|\bThread\.Sleep\b")]
    private static partial Regex AmbientAuthority();
}
