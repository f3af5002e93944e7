using Myna.Cpu.RiscV;
using Myna.Cpu.Tests.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Instructions whose halves lie in two pages, translated in a machine.</summary>
public sealed class StraddlingTests
{
    [Fact]
    public void Are_translated_and_follow_a_change_of_the_second_page()
    {
        if (!HartTranslator.IsSupported)
            return;
        using Rig rig = new();
        using HartTranslator translator = new(rig.Space, countInstructions: true);
        rig.Hart.Engine = translator.CreateEngine(rig.Hart, rig.Interpreter);
        const ulong Start = Rig.Base + 0xFFE;
        // addi a2, a2, 3; addi a1, a1, -1; bnez a1, Start
        rig.Put(Start, 0x0036_0613, 0xFFF5_8593, 0xFE05_9CE3);
        rig.Pc = Start;
        rig.Hart.Run(3000);
        Assert.Equal((3000UL, Start), (rig.X[Rig.A2], rig.Pc));
        Assert.InRange(translator.Counters.FallbackExits + translator.Counters.Interpreted, 0, 10);
        // addi a2, a2, 5
        rig.Put(Start, 0x0056_0613);
        rig.Hart.Run(300);
        Assert.Equal(3500UL, rig.X[Rig.A2]);
    }
}
