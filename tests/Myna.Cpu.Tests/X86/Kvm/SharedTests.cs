using System.Reflection;
using System.Runtime.ExceptionServices;
using Xunit.Sdk;

namespace Myna.Cpu.Tests.X86.Kvm;

/// <summary>The guests that interpreter and translator run give the same results under KVM.</summary>
public sealed class SharedTests
{
    // Not public: the runner shall not find their tests by itself.
    private sealed class Exceptions() : ExceptionTests(SystemTests.Virtualized);

    private sealed class Debugging() : DebugTests(SystemTests.Virtualized);

    private sealed class ProtectedMode() : ProtectedModeTests(SystemTests.Virtualized);

    private sealed class Paging() : PagingTests(SystemTests.Virtualized);

    private sealed class CodeChange() : CodeChangeTests(SystemTests.Virtualized);

    private static readonly Type[] s_sets = [typeof(Exceptions), typeof(Debugging), typeof(ProtectedMode), typeof(Paging), typeof(CodeChange)];

    /// <summary>Tests that the kernel's instruction emulator gets wrong, or paging modes that it refuses; a processor with VMX or SVM does not.</summary>
    private static readonly HashSet<string> s_hardwareOnly =
    [
        // Data, port and REP breakpoints; single steps over system instructions.
        "Data_breakpoints", "Port_breakpoints", "Debug_registers_stop_at_code_and_data", "A_breakpoint_at_a_repeated_instruction_is_reported_once", "A_step_and_two_breakpoints_at_once",
        "Steps_into_and_over_system_instructions",
        // Virtual-8086 mode, call gates, 32-bit and PAE paging, 5 levels, pages of 1 GiB, PCIDs.
        "Virtual_8086_mode_comes_and_goes", "A_call_gate_copies_parameters_and_RETF_releases_them", "Pages_of_4_MiB_and_PAE", "Registers_hold_the_directory_pointers_of_PAE", "Five_levels",
        "A_page_of_1_GiB", "Process_context_identifiers",
        // Details of faults, and where interrupts are looked at.
        "Software_interrupts_need_the_gates_privilege", "A_missing_gate_of_a_benign_exception_is_reported_with_EXT", "Addresses_that_are_not_canonical",
        "An_operand_across_pages_is_written_whole_or_not_at_all", "Interrupts_wait_for_the_instruction_behind_STI", "Loads_beyond_everything_give_ones_and_the_local_apic_answers",
        // SYSCALL of a user program does not change the privilege level.
        "Syscall_and_sysret",
    ];

    public static TheoryData<string> Everywhere => Select(hardware: false);

    public static TheoryData<string> OnHardware => Select(hardware: true);

    [TheoryIfKvm]
    [MemberData(nameof(Everywhere))]
    public void A_guest_of_the_shared_set(string name) => Run(name);

    [TheoryIfHardwareKvm]
    [MemberData(nameof(OnHardware))]
    public void A_guest_of_the_shared_set_that_needs_hardware(string name) => Run(name);

    private static TheoryData<string> Select(bool hardware)
    {
        TheoryData<string> names = [];
        foreach ((string name, MethodInfo method, object?[] _) in All())
        {
            if (s_hardwareOnly.Contains(method.Name) == hardware)
                names.Add(name);
        }
        return names;
    }

    private static void Run(string wanted)
    {
        (string _, MethodInfo method, object?[] arguments) = All().First(t => t.Name == wanted);
        object instance = Activator.CreateInstance(s_sets.First(s => method.DeclaringType!.IsAssignableFrom(s)), nonPublic: true)!;
        try
        {
            method.Invoke(instance, arguments);
        }
        catch (TargetInvocationException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerException!);
        }
    }

    private static IEnumerable<(string Name, MethodInfo Method, object?[] Arguments)> All()
    {
        foreach (Type set in s_sets)
        {
            foreach (MethodInfo method in set.GetMethods().Where(m => m.GetCustomAttribute<FactAttribute>() is not null).OrderBy(m => m.Name, StringComparer.Ordinal))
            {
                string name = $"{set.Name}.{method.Name}";
                DataAttribute[] data = [.. method.GetCustomAttributes<DataAttribute>()];
                if (data.Length == 0)
                {
                    yield return (name, method, []);
                    continue;
                }
                foreach (object?[] row in data.SelectMany(d => d.GetData(method)))
                    yield return ($"{name}({string.Join(", ", row)})", method, row);
            }
        }
    }
}
