package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func writtenMultiProg(t *testing.T, text string) []string {
	t.Helper()
	file := t.TempDir() + "/conf"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{file}
}

// What srun of 22.05.8 made of the same file.
func TestMultiProgFiles(t *testing.T) {
	command := writtenMultiProg(t, `# a line
   # another
0 p %t a%t %ta %o %%t %x %5t \%t \\%t x%
1-2,5 sh -c 'echo worker %t offset %o'
3 echo "double %t" 'sq "in" %t' # no comment %t
4 echo a'b c'd \'x\' a\ b it"s ''
6 echo tab	sep   ' lead' ''  end
7 echo line \
 continued %t
8 echo join\
ed \
on
9-10 echo %o%t%o back\nslash '\n'
* rest %t %o
`)
	commands, err := multiProg(append(command, "extra", "%t 'as it is'"), 12, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`["p" "0" "a0" "0a" "0" "t" "" "t" "%t" "\\0" "x"`,
		`["sh" "-c" "echo worker %t offset %o"`,
		`["sh" "-c" "echo worker %t offset %o"`,
		`["echo" "\"double" "3\"" "sq \"in\" %t" "#" "no" "comment" "3"`,
		`["echo" "ab cd" "'x'" "a b" "it\"s" ""`,
		`["sh" "-c" "echo worker %t offset %o"`,
		`["echo" "tab" "sep" " lead" "" "end"`,
		`["echo" "line" "" "continued" "7"`,
		`["echo" "joined" "on"`,
		`["echo" "090" "backnslash" "\\n"`,
		`["echo" "1101" "backnslash" "\\n"`,
		`["rest" "11" "11"`,
	}
	for task, words := range want {
		if got := fmt.Sprintf("%q", commands[task]); got != words+` "extra" "%t 'as it is'"]` {
			t.Errorf("task %d: %s instead of %s", task, got, words)
		}
	}
}

func TestAMultiProgFileSaysHowManyTasksThereAreWhereNobodyDoes(t *testing.T) {
	commands, err := multiProg(writtenMultiProg(t, "0-3 echo %t\r\n"), 1, false)
	if got := fmt.Sprint(commands); err != nil || got != "[[echo 0] [echo 1] [echo 2] [echo 3]]" {
		t.Errorf("%s %v", got, err)
	}
}

func TestMultiProgFilesThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"0 a\n":                    "srun: error: Configuration file FILE invalid, no record for task id 1\n",
		"":                         "srun: error: Configuration file FILE invalid, no record for task id 0\n",
		"0 a\n0 b\n1 c\n":          "srun: error: Duplicate record for task 0\nsrun: error: Line 2 of configuration file FILE invalid\n",
		"0-5 a\n":                  "srun: error: Invalid task id, 5 >= ntasks\nsrun: error: Line 1 of configuration file FILE invalid\n",
		"0-99999999 a\n":           "srun: error: Invalid task range specification (0-99999999)\nsrun: error: Line 1 of configuration file FILE invalid\n",
		"0 \n1 a\n":                "srun: error: Line 1 of configuration file FILE invalid\n",
		"# one\n\n0\n1 a\n":        "srun: error: Line 3 of configuration file FILE invalid\n",
		"* a\n1 b\n":               "srun: error: Task range specification with asterisk must be last\nsrun: error: Line 2 of configuration file FILE invalid\n",
		"a b\n":                    "srun: error: Invalid task range specification (a)\nsrun: error: Line 1 of configuration file FILE invalid\n",
		", a\n":                    "srun: error: Configuration file FILE invalid, no record for task id 0\n",
		"1-0 a\n":                  "srun: error: Invalid task range, 1-0\nsrun: error: Line 1 of configuration file FILE invalid\n",
		"0-1 sh -c 'unclosed %t\n": "srun: error: Program arguments specification format invalid: sh -c 'unclosed %t.\n",
	} {
		command := writtenMultiProg(t, text)
		_, err := multiProg(command, 2, true)
		fault, ok := err.(*srunError)
		if !ok || fault.code != 1 || strings.ReplaceAll(fault.text, command[0], "FILE") != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
