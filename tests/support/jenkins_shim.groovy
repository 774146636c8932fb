// Run a declarative Jenkinsfile's stages and their `sh` steps; a step or directive that is not below is an error.
// What it proves: syntax and commands. Not: agents, plugins, credentials, the approval of a real server.
class Job {
    Map<String, String> set = [:]
    Object any = null  // of `agent any`

    Object propertyMissing(String name) {
        if (name != 'env') throw new MissingPropertyException(name, Job)
        return System.getenv() + set
    }
    void propertyMissing(String name, Object value) { set[name] = value.toString() }

    String credentials(String id) {
        def found = System.getenv('CREDENTIALS_' + id.toUpperCase().replace('-', '_'))
        if (found == null) throw new IllegalArgumentException("no credentials $id")
        return found
    }
    boolean inside(Closure body) { body.delegate = this; body.resolveStrategy = Closure.DELEGATE_FIRST; body() != false }

    void agent(Object where) {}
    void environment(Closure body) { inside(body) }
    void stages(Closure body) { inside(body) }
    void stage(String name, Closure body) {
        println "[stage] $name"
        def directives = new Stage(set: set)
        directives.inside(body)
        directives.run()
    }
}

class Stage extends Job {
    Closure what, finally_, condition, approval

    void when(Closure body) { condition = body }
    void input(Closure body) { approval = body }
    void steps(Closure body) { what = body }
    void post(Closure body) { inside(body) }
    void always(Closure body) { finally_ = body }
    void beforeInput(boolean first) { assert first }
    boolean branch(String name) { System.getenv('BRANCH_NAME') == name }
    boolean changeRequest(Map by) { assert by.keySet() == ['target'] as Set; System.getenv('CHANGE_TARGET') == by.target }
    void message(String question) { println "[input] $question" }

    void run() {
        if (condition && !inside(condition)) { println '[skipped]'; return }
        if (approval) inside(approval)
        try { inside(what) } finally { if (finally_) inside(finally_) }
    }
    void sh(String command) {
        println "[sh] $command"
        def process = new ProcessBuilder('sh', '-xe', '-c', command).inheritIO()
        process.environment().putAll(set)
        def code = process.start().waitFor()
        if (code != 0) throw new IllegalStateException("script returned exit code $code")
    }
}

def job = new Job()
def binding = new Binding()
binding.setVariable('pipeline', { Closure body -> job.inside(body) })
new GroovyShell(this.class.classLoader, binding).evaluate(new File(args[0]))
