using System.Globalization;
using System.Text.RegularExpressions;
using Myna.Linux.Calls;
using Myna.Linux.Calls.Narrow;
using Myna.Linux.Loading;

namespace Myna.Linux.Tests.Calls.Narrow;

public sealed partial class NarrowTableTests
{
    [Fact]
    public void No_number_and_no_name_is_given_twice()
    {
        Assert.Empty(I386Numbers.All.GroupBy(n => n.Number).Where(g => g.Count() > 1).Select(g => g.Key));
        Assert.Empty(NarrowTable.Own.GroupBy(r => r.Name).Where(g => g.Count() > 1).Select(g => g.Key));
    }

    [Fact]
    public void Every_number_has_a_row_that_can_be_done()
    {
        CallRow?[] rows = NarrowTable.Rows(AbiKind.I386);
        foreach ((int number, string name) in I386Numbers.All)
        {
            CallRow row = rows[number]!;
            Assert.Equal(name, row.Name);
            Assert.All(row.Kinds, k => Assert.InRange(k.Related, -1, 5));
            Assert.True(row.Handler is not null || row.X64 >= 0, $"{name} has neither a handler nor a host call");
        }
    }

    /// <summary>Against the host's own header, where it is installed.</summary>
    [Fact]
    public void Numbers_are_those_of_the_kernel_s_header()
    {
        const string header = "/usr/include/x86_64-linux-gnu/asm/unistd_32.h";
        if (!File.Exists(header))
            return;
        var names = Definition().Matches(File.ReadAllText(header)).ToDictionary(m => int.Parse(m.Groups["number"].Value, CultureInfo.InvariantCulture), m => m.Groups["name"].Value);
        foreach ((int number, string name) in I386Numbers.All)
        {
            if (number <= names.Keys.Max())
                Assert.Equal(names[number], name);
        }
    }

    [GeneratedRegex(@"#define __NR_(?<name>\w+)\s+(?<number>\d+)\s")]
    private static partial Regex Definition();
}
