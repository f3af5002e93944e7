namespace Myna.Machines.Tests.X86.Smp;

/// <summary>The guests for several CPUs, with each CPU on the host's processor and interrupt controllers here or in the kernel.</summary>
public sealed class KvmSmpTests
{
    public static TheoryData<Irqchip> Chips => [Irqchip.Off, Irqchip.Split, Irqchip.Full];

    /// <summary>A TSC deadline is not offered without a local APIC in the kernel.</summary>
    public static TheoryData<Irqchip> KernelsChips => [Irqchip.Split, Irqchip.Full];

    private static void With(Irqchip irqchip, Action test)
    {
        SmpGuest.UnderKvm = irqchip;
        try
        {
            test();
        }
        finally
        {
            SmpGuest.UnderKvm = Irqchip.Auto;
        }
    }

    [TheoryIfKvm]
    [MemberData(nameof(Chips))]
    public void Fixed_interrupts_reach_whom_they_are_for(Irqchip irqchip) => With(irqchip, () => new InterruptTests().Fixed_interrupts_reach_whom_they_are_for(Accel.Kvm));

    /// <summary>The kernel chooses among destinations by vector, whatever their priorities.</summary>
    [FactIfKvm]
    public void Clusters_and_the_lowest_priority() => With(Irqchip.Off, () => new InterruptTests().Clusters_and_the_lowest_priority(Accel.Kvm));

    [TheoryIfKvm]
    [MemberData(nameof(Chips))]
    public void X2APIC_interrupts(Irqchip irqchip) => With(irqchip, () => new InterruptTests().X2APIC_interrupts(Accel.Kvm));

    [TheoryIfKvm]
    [MemberData(nameof(Chips))]
    public void A_startup_message_sets_CS_and_registers_are_those_of_INIT(Irqchip irqchip)
        => With(irqchip, () => new InterruptTests().A_startup_message_sets_CS_and_registers_are_those_of_INIT(Accel.Kvm));

    [TheoryIfKvm]
    [MemberData(nameof(Chips))]
    public void INIT_stops_a_CPU_that_runs_or_is_halted(Irqchip irqchip) => With(irqchip, () => new InterruptTests().INIT_stops_a_CPU_that_runs_or_is_halted(Accel.Kvm));

    [TheoryIfKvm]
    [MemberData(nameof(KernelsChips))]
    public void The_timers_of_all_CPUs_tick(Irqchip irqchip) => With(irqchip, () => new InterruptTests().The_timers_of_all_CPUs_tick(Accel.Kvm));

    [TheoryIfKvm]
    [MemberData(nameof(Chips))]
    public void Locked_instructions_lose_nothing(Irqchip irqchip) => With(irqchip, () => new MemoryTests().Locked_instructions_lose_nothing(Accel.Kvm, 2));

    [TheoryIfKvm]
    [MemberData(nameof(Chips))]
    public void Code_that_another_CPU_wrote_runs_after_a_serializing_instruction(Irqchip irqchip)
        => With(irqchip, () => new MemoryTests().Code_that_another_CPU_wrote_runs_after_a_serializing_instruction(Accel.Kvm));

    [TheoryIfHardwareKvm]
    [MemberData(nameof(Chips))]
    public void Code_is_replaced_while_another_CPU_executes_it(Irqchip irqchip) => With(irqchip, () => new MemoryTests().Code_is_replaced_while_another_CPU_executes_it(Accel.Kvm));

    public static TheoryData<Irqchip, string> Shootdowns()
    {
        var rows = new TheoryData<Irqchip, string>();
        foreach (Irqchip irqchip in new[] { Irqchip.Off, Irqchip.Split, Irqchip.Full })
        {
            foreach (string how in new[] { "invlpg", "cr3", "global" })
                rows.Add(irqchip, how);
        }
        return rows;
    }

    [TheoryIfKvm]
    [MemberData(nameof(Shootdowns))]
    public void A_page_moves_under_other_CPUs(Irqchip irqchip, string how) => With(irqchip, () => new MemoryTests().A_page_moves_under_other_CPUs(Accel.Kvm, how));

    public static TheoryData<Irqchip, string> Litmus()
    {
        var rows = new TheoryData<Irqchip, string>();
        foreach (string name in LitmusTests.Names)
            rows.Add(Irqchip.Off, name);
        rows.Add(Irqchip.Split, LitmusTests.Names.First());
        rows.Add(Irqchip.Full, LitmusTests.Names.First());
        return rows;
    }

    [TheoryIfKvm]
    [MemberData(nameof(Litmus))]
    public void No_forbidden_outcome_is_seen(Irqchip irqchip, string name) => With(irqchip, () => new LitmusTests().No_forbidden_outcome_is_seen(Accel.Kvm, name));
}
