using System.Reflection;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV.Instructions;

public class CoverageTests
{
    // Executed by tests that name them in their bodies.
    private static readonly Opcode[] s_named =
    [
        Opcode.Lui, Opcode.Auipc, Opcode.Jal, Opcode.Jalr, Opcode.Flw, Opcode.Fsw, Opcode.CboZero,
    ];

    [Fact]
    public void Every_row_has_a_test_vector()
    {
        HashSet<Opcode> covered = [.. s_named];
        foreach (MethodInfo method in typeof(CoverageTests).Assembly.GetTypes()
            .Where(t => t.Namespace == typeof(CoverageTests).Namespace).SelectMany(t => t.GetMethods()))
        {
            foreach (Xunit.Sdk.DataAttribute data in method.GetCustomAttributes<Xunit.Sdk.DataAttribute>())
            {
                foreach (object[] row in data.GetData(method))
                    covered.UnionWith(row.OfType<Opcode>());
            }
        }
        string missing = string.Join(' ', Enum.GetValues<Opcode>().Where(o => o != Opcode.Invalid && !covered.Contains(o)));
        Assert.True(missing.Length == 0, $"no vector for {missing}");
    }
}
