using Iced.Intel;

namespace Myna.Fuzz.X86;

/// <summary>Which arithmetic flags the manuals leave undefined, at each instruction of a case.</summary>
internal static class UndefinedFlags
{
    private const ulong Arithmetic = 0x8D5;

    /// <summary>Undefined flags in front of each item, and at the end.</summary>
    /// <param name="depends">An instruction looks at one: nothing that follows is certain.</param>
    private static RflagsBits[] Before(IReadOnlyList<Item> items, out bool depends)
    {
        var before = new RflagsBits[items.Count + 1];
        depends = false;
        for (int i = 0; i < items.Count; i++)
        {
            Item item = items[i];
            RflagsBits after = before[i];
            if (item.Instruction.Code != Code.INVALID)
            {
                depends |= (item.Instruction.RflagsRead & after & ItemWriter.Arithmetic) != 0;
                after = ItemWriter.After(after, item.Instruction);
            }
            if (item.Use == LabelUse.Branch && item.Label > i)
                before[item.Label] |= after;
            before[i + 1] |= after;
            // Second round of a loop.
            for (int j = item.Use == LabelUse.Branch && item.Label <= i ? item.Label : i + 1; j <= i; j++)
                before[j] |= after;
        }
        return before;
    }

    public static bool Matter(IReadOnlyList<Item> items)
    {
        Before(items, out bool depends);
        return depends;
    }

    /// <summary>The flags that mean nothing when a case has ended at this address.</summary>
    public static ulong At(TestCase test, ulong rip)
    {
        RflagsBits[] before = Before(test.Items, out _);
        for (int i = 0; i <= test.Items.Count; i++)
        {
            if (test.Addresses[i] == rip && (i == test.Items.Count || test.Items[i].Instruction.Code != Code.INVALID))
                return Mask(before[i]);
        }
        // Behind the INT3 that ends it, or somewhere that the code did not mean to go.
        return rip == test.Addresses[^1] + 1 ? Mask(before[^1]) : Mask(before.Aggregate((a, b) => a | b));
    }

    private static ulong Mask(RflagsBits flags) => Arithmetic
        & (((flags & RflagsBits.CF) != 0 ? 1u : 0) | ((flags & RflagsBits.PF) != 0 ? 4u : 0) | ((flags & RflagsBits.AF) != 0 ? 0x10u : 0)
        | ((flags & RflagsBits.ZF) != 0 ? 0x40u : 0) | ((flags & RflagsBits.SF) != 0 ? 0x80u : 0) | ((flags & RflagsBits.OF) != 0 ? 0x800u : 0));
}
