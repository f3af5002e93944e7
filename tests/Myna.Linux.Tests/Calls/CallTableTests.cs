using System.Globalization;
using System.Text.RegularExpressions;
using Myna.Linux.Calls;
using Myna.Linux.Loading;

namespace Myna.Linux.Tests.Calls;

public sealed partial class CallTableTests
{
    [Theory]
    [InlineData(AbiKind.RiscV64)]
    [InlineData(AbiKind.X64)]
    public void No_number_is_given_twice(AbiKind abi)
        => Assert.Empty(CallTable.Rows.Where(r => r.NumberFor(abi) >= 0).GroupBy(r => r.NumberFor(abi)).Where(g => g.Count() > 1).Select(g => string.Join(" ", g.Select(r => r.Name))));

    [Fact]
    public void Every_row_can_be_read_and_done()
    {
        foreach (CallRow row in CallTable.Rows)
        {
            Assert.True(row.Kinds.Length <= 6, row.Name);
            Assert.All(row.Kinds, k => Assert.InRange(k.Related, -1, 5));
            Assert.True(row.Handler is not null || row.X64 >= 0, $"{row.Name} has neither a handler nor a host call");
        }
    }

    /// <summary>Against the host's own headers, where they are installed.</summary>
    [Theory]
    [InlineData("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", AbiKind.X64)]
    [InlineData("/usr/include/asm-generic/unistd.h", AbiKind.RiscV64)]
    public void Numbers_are_those_of_the_kernel_s_headers(string header, AbiKind abi)
    {
        if (!File.Exists(header))
            return;
        var numbers = new Dictionary<string, int>();
        // Where 32 and 64 bits share a number, the generic header names it for both.
        foreach (Match match in Definition().Matches(File.ReadAllText(header)))
            numbers.TryAdd(match.Groups["name"].Value is "fstatat" ? "newfstatat" : match.Groups["name"].Value, int.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture));
        Assert.True(numbers.Count > 280);
        foreach (CallRow row in CallTable.Rows)
        {
            if (numbers.TryGetValue(row.Name, out int number))
                Assert.True(number == row.NumberFor(abi) || (abi == AbiKind.RiscV64 && row.Name is "renameat"), $"{row.Name} is {number}, not {row.NumberFor(abi)}");
            else if (row.NumberFor(abi) is >= 0 and < 449)
                Assert.StartsWith("riscv_", row.Name);
        }
    }

    [GeneratedRegex(@"#define __NR(3264)?_(?<name>\w+)\s+(?<number>\d+)\s")]
    private static partial Regex Definition();
}
