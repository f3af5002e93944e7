namespace Myna.Machines.Tests.X86.Smp;

/// <summary>The guests for several CPUs, with each CPU on the host's processor; not those that need a TSC deadline, which is not offered there.</summary>
public sealed class KvmSmpTests
{
    [FactIfKvm]
    public void Fixed_interrupts_reach_whom_they_are_for() => new InterruptTests().Fixed_interrupts_reach_whom_they_are_for(Accel.Kvm);

    [FactIfKvm]
    public void Clusters_and_the_lowest_priority() => new InterruptTests().Clusters_and_the_lowest_priority(Accel.Kvm);

    [FactIfKvm]
    public void X2APIC_interrupts() => new InterruptTests().X2APIC_interrupts(Accel.Kvm);

    [FactIfKvm]
    public void A_startup_message_sets_CS_and_registers_are_those_of_INIT() => new InterruptTests().A_startup_message_sets_CS_and_registers_are_those_of_INIT(Accel.Kvm);

    [FactIfKvm]
    public void INIT_stops_a_CPU_that_runs_or_is_halted() => new InterruptTests().INIT_stops_a_CPU_that_runs_or_is_halted(Accel.Kvm);

    [FactIfKvm]
    public void Locked_instructions_lose_nothing() => new MemoryTests().Locked_instructions_lose_nothing(Accel.Kvm, 2);
}
